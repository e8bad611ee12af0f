import type { RecorderMessage } from "../wire/control-messages.ts";
import type { AttemptEnd } from "../wire/final-status.ts";
import type { ProcessIdentity } from "../wire/journal-header.ts";
import { sleep } from "../util/sleep.ts";
import { findRunProcesses } from "./run-processes.ts";
import type { RunSession } from "./run-session.ts";
import type { ShellLife } from "./shell-life.ts";

export interface RunEndingOptions {
  readonly session: RunSession;
  /** Of a run that belongs to a shell. */
  readonly shell: ShellLife | undefined;
  isWrapperGone(): boolean;
  tell(message: RecorderMessage): void;
}

const progressMs = 500;
const leftoverPollMs = 1000;

/** From the command's outcome until nothing of the run lives any more and all of it is stored, or left to a later command. */
export class RunEnding {
  readonly #options: RunEndingOptions;

  constructor(options: RunEndingOptions) {
    this.#options = options;
  }

  /** The session may be closed once this resolves. */
  async run(end: AttemptEnd): Promise<void> {
    const { session, shell, tell, isWrapperGone } = this.#options;
    await session.end(end);
    if (session.hasOpenRuns && this.#leftovers().length === 0) session.endOpenRuns(end);
    await this.#store();
    // A process that has outlived the command may have said something while the store was waited for. Once the wrapper has
    // ended, others may write to the same files.
    if (session.console.hasMore()) await this.#storeConsole();
    if (!isWrapperGone()) tell({ type: "done", summary: await session.summary(end) });
    shell?.answer(await session.summary(end));
    await this.#stayForLeftovers();
    session.endOpenRuns(end);
  }

  async #store(): Promise<void> {
    const { session, tell } = this.#options;
    const progress = setInterval(() => {
      tell({ type: "progress", pendingEntries: session.recording.pendingEntries });
    }, progressMs);
    await this.#untilStoredOrLeft(session.recording.flush("store"));
    clearInterval(progress);
  }

  /** When the wrapper waits no longer and nothing of the run lives, the rest is left to `track sync`. */
  async #untilStoredOrLeft(stored: Promise<void>): Promise<void> {
    const done = stored.then(
      () => true,
      () => true,
    );
    while (!(await Promise.race([done, sleep(progressMs).then(() => false)]))) {
      if (!this.#isWaitedFor && this.#leftovers().length === 0) return;
    }
  }

  get #isWaitedFor(): boolean {
    const { shell, isWrapperGone } = this.#options;
    return !isWrapperGone() || shell?.isWaitedFor === true;
  }

  async #storeConsole(): Promise<void> {
    const { session } = this.#options;
    await session.console.store();
    await session.recording.settle(leftoverPollMs);
  }

  async #stayForLeftovers(): Promise<void> {
    if (this.#leftovers().length === 0) return;
    const { sources } = this.#options.session;
    sources.keepListening();
    do await sleep(leftoverPollMs);
    while (this.#leftovers().length > 0);
    await sources.takeIn();
    await this.#storeConsole();
  }

  #leftovers(): readonly ProcessIdentity[] {
    const { session, shell } = this.#options;
    const { ids, header } = session.recording;
    return findRunProcesses(ids.childRunId, new Set([process.pid, header.wrapper.pid, ...(shell?.askerPids ?? [])]));
  }
}
