import type { Run, RunData, RunInfo } from "../entities/run.ts";
import { isRunStatus, isTerminalStatus, type RunStatus } from "../entities/run-status.ts";
import { invalidParameter } from "../errors.ts";
import { environment } from "./environment.ts";
import { noteEnded } from "./run-stack.ts";
import { RunLog } from "./run-log.ts";
import { askStore, type Session } from "./session.ts";

/**
 * A run that was started here and has not ended. `await using` ends it as FINISHED when the block is left, however that comes: it
 * cannot know whether something was thrown, which `withRun` does.
 */
export class ActiveRun implements AsyncDisposable {
  readonly #log: RunLog;
  #info: RunInfo;
  readonly #data: RunData;
  #isEnded = false;

  /** `isNew`: it was made here, and not resumed. */
  constructor(session: Session, run: Run, isNew: boolean) {
    this.#log = new RunLog(session, run, isNew);
    this.#info = run.info;
    this.#data = run.data;
  }

  /** For the library itself. */
  static logOf(run: ActiveRun): RunLog {
    return run.#log;
  }

  /** Id, name, experiment, times (ms since the epoch), status and place of the artifacts, as at the start; the end is noted here too. */
  get info(): RunInfo {
    return this.#info;
  }

  /** Params, tags and latest metrics as they were when the run was started or resumed; `getRun` tells what they are now. */
  get data(): RunData {
    return this.#data;
  }

  /** It was ended here. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * Ends the run, once all that was said of it is on disk in the journal; the run that was active before is active again. A second
   * call does nothing. Any status of MLflow's but RUNNING and SCHEDULED is the end of it; others are `INVALID_PARAMETER_VALUE`
   * (contract 1.4, `end_run`). Inside `track run` the wrapped command's own run stays RUNNING until the command is over.
   */
  async end(status: RunStatus = "FINISHED"): Promise<void> {
    if (!isRunStatus(status) || !isTerminalStatus(status)) {
      throw invalidParameter(`Invalid status '${String(status)}': a run ends FINISHED, FAILED or KILLED`);
    }
    if (this.#isEnded) return;
    this.#isEnded = true;
    // MLflow: the run of the environment is not resumed once more.
    delete environment["MLFLOW_RUN_ID"];
    noteEnded(this);
    this.#log.stopSampling();
    await this.#log.idle;
    const endTime = Date.now();
    await askStore(
      (store) => store.updateRun(this.#info.runId, { status, endTime }),
      Promise.resolve(this.#log.session),
    );
    this.#info = { ...this.#info, status, endTime };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}
