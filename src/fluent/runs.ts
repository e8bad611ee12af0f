import type { RunStatus } from "../entities/run-status.ts";
import { StoreError } from "../errors.ts";
import type { ActiveRun } from "./active-run.ts";
import { checkStatus } from "./argument-checks.ts";
import { openRun } from "./open-run.ts";
import { report } from "./report.ts";
import { checkRunOptions, type CheckedRunOptions, type StartRunOptions } from "./run-options.ts";
import { currentRun, currentSlot, enter, enterProgram, enterScope, lastEndedRun, RunSlot } from "./run-stack.ts";

/**
 * Starts a run, or resumes one, and makes it the active run of this asynchronous context, outside of any `withRun` of the whole program.
 * Precedence and errors are those of MLflow's `start_run` (contract 1): `runId`, else MLFLOW_RUN_ID (taken once), else a new run.
 * Rejects with `StoreError`: `INVALID_STATE` while a run is active and `nested` is not given, `RESOURCE_DOES_NOT_EXIST` for an
 * unknown run, `INTERNAL_ERROR` (MLflow's code) for a deleted run or parent. Calls that log need not wait for it.
 */
export async function startRun(options: StartRunOptions = {}): Promise<ActiveRun> {
  const checked = checkRunOptions(options);
  const parent = parentFor(checked);
  const slot = new RunSlot();
  enter(slot);
  return await fill(slot, checked, parent);
}

/**
 * Calls `body` with a run of its own, active in all that it calls, and ends it as `body` ended: FINISHED, or FAILED where it threw, which
 * is thrown on. The way to have several runs at once: each call has its own (`Promise.all`). Parameters and errors as `startRun`.
 */
export async function withRun<Result>(
  options: StartRunOptions,
  body: (run: ActiveRun) => Result | PromiseLike<Result>,
): Promise<Result> {
  const checked = checkRunOptions(options);
  const parent = parentFor(checked);
  const slot = new RunSlot();
  return await enterScope(slot, async () => {
    const run = await fill(slot, checked, parent);
    let result: Result;
    try {
      result = await body(run);
    } catch (error) {
      await endQuietly(run, "FAILED");
      throw error;
    }
    await endQuietly(run, "FINISHED");
    return result;
  });
}

/** What `body` gave must not be lost because the end could not be told. */
async function endQuietly(run: ActiveRun, status: RunStatus): Promise<void> {
  await run.end(status).catch((error: unknown) => report(error));
}

/** The run that log calls here go to; `undefined` while there is none, or it is not open yet. */
export const activeRun = (): ActiveRun | undefined => currentSlot()?.run;

/** The active run, else the run that was ended last in this program. Source: MLflow's `last_active_run` (contract 1.4). */
export const lastActiveRun = (): ActiveRun | undefined => activeRun() ?? lastEndedRun();

/**
 * Ends the active run, with one that was started and is not open yet waited for; without any run nothing happens. The run that was
 * active before is active again. `status`: FINISHED, FAILED or KILLED, others are `INVALID_PARAMETER_VALUE`. Source: MLflow's `end_run`.
 */
export async function endRun(status: RunStatus = "FINISHED"): Promise<void> {
  checkStatus(status);
  const slot = currentSlot();
  if (slot === undefined) return;
  await (await slot.opened).end(status);
}

/** The run that a log call goes to: the active one, else one that is started for it, as MLflow does (contract 1.4). */
export function slotForLogging(): RunSlot {
  const known = currentSlot();
  if (known !== undefined) return known;
  const slot = new RunSlot();
  enterProgram(slot);
  fill(slot, {}, undefined).catch((error: unknown) => report(error));
  return slot;
}

async function fill(slot: RunSlot, options: CheckedRunOptions, parent: ActiveRun | undefined): Promise<ActiveRun> {
  try {
    const run = await openRun(options, parent);
    slot.open(run);
    return run;
  } catch (error) {
    slot.fail(error);
    throw error;
  }
}

function parentFor({ nested = false }: CheckedRunOptions): ActiveRun | undefined {
  const current = currentSlot();
  if (current === undefined || nested) return currentRun();
  const which = current.run === undefined ? "A run" : `Run with UUID ${current.run.info.runId}`;
  throw new StoreError(
    "INVALID_STATE",
    `${which} is already active. To start a new run, first end the current run with endRun(). ` +
      "To start a nested run, call startRun with nested: true",
  );
}
