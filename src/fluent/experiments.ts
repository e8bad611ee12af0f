import type { Experiment } from "../entities/experiment.ts";
import { invalidParameter, StoreError } from "../errors.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { checkOptions, checkText, experimentIdOf } from "./argument-checks.ts";
import { environment, read } from "./environment.ts";
import { openSession } from "./session.ts";

let activeExperimentId: string | undefined;

/** What `setExperiment` has chosen in this program. */
export const chosenExperimentId = (): string | undefined => activeExperimentId;

/**
 * Chooses the experiment of the runs that are started from here on, by name, or by `{ experimentId }`; a name that is not there is
 * made. Written to MLFLOW_EXPERIMENT_ID for child processes. Source: MLflow's `set_experiment` (contract 1.3).
 * Rejects with `INVALID_PARAMETER_VALUE` for a deleted experiment, `RESOURCE_DOES_NOT_EXIST` for an unknown id.
 */
export async function setExperiment(
  nameOrId: string | { readonly experimentId: string | number },
): Promise<Experiment> {
  if (typeof nameOrId !== "string") checkOptions("setExperiment", nameOrId, ["experimentId"]);
  const { store } = await openSession();
  const experiment =
    typeof nameOrId === "string"
      ? await byName(store, nameOrId)
      : await store.getExperiment(experimentIdOf(nameOrId.experimentId));
  if (experiment.lifecycleStage !== "active") {
    throw invalidParameter(
      `Cannot set a deleted experiment '${experiment.name}' as the active experiment. You can restore the experiment, ` +
        "or permanently delete the experiment to create a new one.",
    );
  }
  activeExperimentId = experiment.experimentId;
  environment["MLFLOW_EXPERIMENT_ID"] = activeExperimentId;
  return experiment;
}

async function byName(store: TrackingStore, name: string): Promise<Experiment> {
  checkText("experimentName", name);
  const found = await store.getExperimentByName(name);
  if (found !== undefined) return found;
  try {
    return await store.getExperiment(await store.createExperiment({ name }));
  } catch (error) {
    // Two programs may make it at once.
    const made = isCode(error, "RESOURCE_ALREADY_EXISTS") ? await store.getExperimentByName(name) : undefined;
    if (made === undefined) throw error;
    return made;
  }
}

/** Where a new run goes that says nothing of it: `setExperiment`, the environment, else `0` (contract 1.3). */
export async function currentExperimentId(store: TrackingStore): Promise<string> {
  return activeExperimentId ?? (await experimentOfEnvironment(store)) ?? "0";
}

/** A name that is set but empty counts, as in MLflow. */
async function experimentOfEnvironment(store: TrackingStore): Promise<string | undefined> {
  const name = environment["MLFLOW_EXPERIMENT_NAME"];
  const id = read("MLFLOW_EXPERIMENT_ID");
  if (name !== undefined) {
    const found = await store.getExperimentByName(name);
    if (found === undefined) return await store.createExperiment({ name });
    if (id === undefined || id === found.experimentId) return found.experimentId;
    throw invalidParameter(
      `The provided MLFLOW_EXPERIMENT_ID environment variable value \`${id}\` does not match the experiment id ` +
        `\`${found.experimentId}\` for experiment name \`${name}\``,
    );
  }
  if (id === undefined) return undefined;
  try {
    return (await store.getExperiment(id)).experimentId;
  } catch (error) {
    if (!isCode(error, "RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")) throw error;
    throw invalidParameter(
      `The provided MLFLOW_EXPERIMENT_ID environment variable value \`${id}\` does not exist in the tracking server. ` +
        "Provide a valid experiment_id.",
    );
  }
}

export function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof StoreError && codes.includes(error.errorCode);
}
