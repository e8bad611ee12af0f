import { type Environment, variable } from "./tracking-uri.ts";

/** Names of the variables by which a launcher tells each of its processes who it is; of several, the first that is set. */
export interface Launcher {
  readonly rank: readonly string[];
  readonly size: readonly string[];
  readonly localRank: readonly string[];
  readonly localSize: readonly string[];
  /** Together they tell one start of the ranks from another. */
  readonly job: readonly string[];
  /** One of them must be set: what is there without them is no sign of ranks. */
  readonly sign?: readonly string[];
}

/** The innermost first: torchrun may itself have been started by srun. */
const launchers: readonly Launcher[] = [
  {
    rank: ["RANK"],
    size: ["WORLD_SIZE"],
    localRank: ["LOCAL_RANK"],
    localSize: ["LOCAL_WORLD_SIZE"],
    job: ["TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "MASTER_ADDR", "MASTER_PORT"],
  },
  {
    rank: ["OMPI_COMM_WORLD_RANK"],
    size: ["OMPI_COMM_WORLD_SIZE"],
    localRank: ["OMPI_COMM_WORLD_LOCAL_RANK"],
    localSize: ["OMPI_COMM_WORLD_LOCAL_SIZE"],
    job: ["PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "OMPI_MCA_orte_ess_jobid"],
  },
  {
    rank: ["PMI_RANK"],
    size: ["PMI_SIZE"],
    localRank: ["MPI_LOCALRANKID", "SLURM_LOCALID"],
    localSize: ["MPI_LOCALNRANKS"],
    job: ["PMI_JOBID", "PMI_PORT"],
  },
  {
    rank: ["SLURM_PROCID"],
    size: ["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"],
    localRank: ["SLURM_LOCALID"],
    localSize: [],
    job: ["SLURM_STEP_ID", "SLURM_STEPID"],
    // A batch script has the other variables as well, and runs once.
    sign: ["SLURM_STEP_ID", "SLURM_STEPID"],
  },
];

/** The launcher that has started this process as one of several ranks; `isAny`: also as the only one. */
export function findLauncher(env: Environment, isAny: boolean): Launcher | undefined {
  return launchers.find((launcher) => {
    const rank = rankOf(env, launcher);
    const size = numberOf(env, launcher.size);
    if (launcher.sign?.every((name) => variable(env, name) === undefined) === true) return false;
    return rank !== undefined && (isAny || (size !== undefined && size > 1 && rank < size));
  });
}

export const rankOf = (env: Environment, launcher: Launcher | undefined): number | undefined =>
  launcher === undefined ? undefined : numberOf(env, launcher.rank);

/** The first of these variables that is set, where it is a number from 0 on. */
export function numberOf(env: Environment, names: readonly string[]): number | undefined {
  const value = names.map((name) => variable(env, name)).find((found) => found !== undefined);
  return value !== undefined && /^\d{1,9}$/u.test(value) ? Number(value) : undefined;
}
