import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { UsageError } from "../errors.ts";
import { findLauncher, type Launcher, numberOf, rankOf } from "./launchers.ts";
import type { RankOption, RunOptions } from "./run-options.ts";
import { type Environment, variable } from "./tracking-uri.ts";

/** Under which key a run is found again by its next attempt. */
export interface ResumeKey {
  /** sha256, the tag `track.resume_key`. */
  readonly hash: string;
  /** By `--resume-key`; else made from Slurm's variables. */
  readonly isGiven: boolean;
  /** How often Slurm has started the job again. */
  readonly restart: number;
}

/** This process's place among the ranks that share one run. */
export interface RankPlace {
  readonly index: number;
  /** sha256 of what all ranks of one start have in common, the tag `track.rank_group`. */
  readonly group: string;
  /** How often the job was started again: the attempt that a rank assumes while it does not know its run. */
  readonly restart: number;
  /** It is the one that samples its node. */
  readonly isNodesFirst: boolean;
  /** Put into the names of system metrics; absent: all ranks are on one node. */
  readonly nodeId?: string;
}

/** What a scheduler or launcher says of this start. */
export interface Cluster {
  readonly resumeKey?: ResumeKey;
  readonly rank?: RankPlace;
}

/** Variables that tell jobs and their starts apart, whoever has started the ranks. */
const jobVariables = ["SLURM_CLUSTER_NAME", "SLURM_JOB_ID", "SLURM_RESTART_COUNT", "PBS_JOBID", "LSB_JOBID"];

/**
 * The resume key and the rank of this start. `command`: secrets masked. Throws exit code 125 for an explicit rank that nothing
 * tells the job of.
 */
export function readCluster(
  { resumeKey, rank = "auto", runId }: Pick<RunOptions, "resumeKey" | "rank" | "runId">,
  env: Environment,
  command: readonly string[],
): Cluster {
  if (resumeKey !== undefined && runId !== undefined) {
    throw new UsageError("a run is named twice: --run-id and --resume-key", {
      exitCode: 125,
      hint: "give one of them",
    });
  }
  const place = rankPlace(rank, env, resumeKey);
  const isNamed = runId !== undefined || hasOwnRunId(env);
  const key = isNamed ? undefined : (givenKey(resumeKey, env) ?? slurmKey(env, command));
  return { ...(key !== undefined && { resumeKey: key }), ...(place !== undefined && { rank: place }) };
}

/** MLFLOW_RUN_ID, unless it is an outer run's. */
function hasOwnRunId(env: Environment): boolean {
  const given = variable(env, "MLFLOW_RUN_ID");
  return given !== undefined && given !== variable(env, "TRACK_RUN_ID");
}

function givenKey(text: string | undefined, env: Environment): ResumeKey | undefined {
  return text === undefined ? undefined : { hash: sha256(text), isGiven: true, restart: restartOf(env) };
}

/** A requeued job keeps its ids; the command tells apart what one batch script starts. */
function slurmKey(env: Environment, command: readonly string[]): ResumeKey | undefined {
  if (variable(env, "SLURM_JOB_ID") === undefined) return undefined;
  const names = ["CLUSTER_NAME", "JOB_ID", "ARRAY_JOB_ID", "ARRAY_TASK_ID", "STEP_ID", "PROCID"];
  const parts = names.map((name) => variable(env, `SLURM_${name}`) ?? "");
  return { hash: sha256(JSON.stringify(["slurm", ...parts, command])), isGiven: false, restart: restartOf(env) };
}

const restartOf = (env: Environment): number => numberOf(env, ["SLURM_RESTART_COUNT"]) ?? 0;

function rankPlace(rank: RankOption, env: Environment, resumeKey: string | undefined): RankPlace | undefined {
  if (rank === "off") return undefined;
  const launcher = findLauncher(env, rank !== "auto");
  if (rank === "auto" && launcher === undefined) return undefined;
  const index = rank === "auto" ? rankOf(env, launcher) : rank;
  if (index === undefined) return undefined;
  const job = [...jobVariables, ...(launcher?.job ?? [])].map((name) => variable(env, name) ?? "");
  if (rank !== "auto" && resumeKey === undefined && job.every((part) => part === "")) {
    throw new UsageError(`nothing tells which job rank ${rank} belongs to`, {
      exitCode: 125,
      hint: "give all ranks of one start the same --resume-key",
    });
  }
  return {
    index,
    group: sha256(JSON.stringify([...job, resumeKey ?? ""])),
    restart: restartOf(env),
    ...nodePlace(env, launcher, index),
  };
}

function nodePlace(
  env: Environment,
  launcher: Launcher | undefined,
  index: number,
): Pick<RankPlace, "isNodesFirst" | "nodeId"> {
  const local = launcher === undefined ? undefined : numberOf(env, launcher.localRank);
  const size = launcher === undefined ? undefined : numberOf(env, launcher.size);
  const localSize = launcher === undefined ? undefined : numberOf(env, launcher.localSize);
  const nodes = numberOf(env, ["SLURM_STEP_NUM_NODES", "SLURM_NNODES"]);
  const isOneNode = localSize === undefined ? nodes === 1 : localSize === size;
  return {
    isNodesFirst: local === undefined ? index === 0 : local === 0,
    ...(!isOneNode && { nodeId: variable(env, "SLURMD_NODENAME") ?? hostname() }),
  };
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
