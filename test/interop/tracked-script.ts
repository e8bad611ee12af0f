import { join } from "node:path";
import type { Run } from "../../src/entities/run.ts";
import { type Finished, tagsOf, type TrackRig } from "../e2e/rig.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { type MlflowVersion, venvProgram } from "./mlflow-versions.ts";

/** What a script below `python/` did inside `track run`: its one line of JSON, and every run of its experiment. */
export interface Family {
  readonly finished: Finished;
  readonly said: Readonly<Record<string, unknown>>;
  /** The command's own run. */
  readonly home: Run;
  readonly others: readonly Run[];
}

export interface ScriptRequest {
  readonly version: MlflowVersion;
  readonly script: string;
  readonly args?: readonly string[];
  /** Of `track run`. */
  readonly options?: readonly string[];
  /** Around the interpreter: `$0` is the command. Default: nothing. */
  readonly shell?: string;
  /** Beside the environment of a user who has set nothing. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The experiment that a script is run in. */
export const experimentOf = ({ version, script, args = [], options = [] }: ScriptRequest): string =>
  `${version.version} ${script} ${args.join(" ")} ${options.join(" ")}`;

/** Runs a script in an experiment of its own. */
export async function trackScript(rig: TrackRig, request: ScriptRequest): Promise<Family> {
  const { version, script, args = [], options = [], shell, env = {} } = request;
  const experiment = experimentOf(request);
  const path = join(import.meta.dirname, "python", script);
  const python = [venvProgram(version, "python"), path, ...args];
  const command = shell === undefined ? python : ["sh", "-c", shell, ...python];
  const finished = await rig.track(["run", "-e", experiment, ...options, "--", ...command], {
    env: { ...mlflowEnvironment(rig.cwd), ...env },
  });
  return { finished, said: saidBy(finished), ...(await runsIn(rig, experiment)) };
}

/** The line that `keeper.tell` prints; empty where the script did not come so far. */
export function saidBy({ stdout }: Finished): Readonly<Record<string, unknown>> {
  const line = stdout.split("\n").findLast((text) => text.startsWith("said "));
  return line === undefined ? {} : (JSON.parse(line.slice("said ".length)) as Record<string, unknown>);
}

async function runsIn(rig: TrackRig, experiment: string): Promise<{ home: Run; others: readonly Run[] }> {
  await using store = await rig.openStore();
  const found = await store.getExperimentByName(experiment);
  const { items } = await store.searchRuns({ experimentIds: [found?.experimentId ?? ""], viewType: "ALL" });
  const own = items.filter((run) => tagsOf(run)["track.command"] !== undefined);
  const [home] = own;
  if (home === undefined || own.length !== 1) throw new Error(`${own.length} runs of the command instead of one`);
  return { home, others: items.filter((run) => run !== home) };
}

/** Of each run: its name, what MLflow calls its parent, and how it ended. */
export const kinOf = ({
  others,
}: Family): readonly (readonly [name: string, parent: string | undefined, status: string])[] =>
  others
    .map((run) => [run.info.runName, tagsOf(run)["mlflow.parentRunId"], run.info.status] as const)
    .sort(([left], [right]) => (left < right ? -1 : 1));
