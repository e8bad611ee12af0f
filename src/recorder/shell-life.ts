import { join } from "node:path";
import { isProcessAlive, readStartTicks } from "../util/proc.ts";
import { writePrivate } from "../util/write-private.ts";
import type { RunSummary } from "../wire/control-messages.ts";
import { type EndRequest, type LeftEnd, toAttemptEnd } from "../wire/end-request.ts";
import type { AttemptEnd } from "../wire/final-status.ts";
import { journalFiles, type ProcessIdentity } from "../wire/journal-header.ts";
import { readJson } from "./dead-journals.ts";
import type { ShellVoice } from "./record-handler.ts";

export interface ShellLifeOptions {
  readonly folder: string;
  /** The shell that has evaluated what `track start` printed. */
  onShell(shell: ProcessIdentity): void;
  /** The run is over: ended by `track end`, or because no shell is there any more. Told once. */
  onEnd(end: AttemptEnd): void;
  now(): number;
}

/** What `track end` is answered. */
export interface ShellRunSummary extends RunSummary {
  /** What was told since `track start`, when nobody was there to hear it. */
  readonly notices: readonly string[];
  /** The run had ended before. */
  readonly isAgain?: true;
}

interface Asker {
  readonly process: ProcessIdentity | undefined;
  readonly answer: (summary: ShellRunSummary) => void;
}

const pidPatienceMs = 10_000;
const pollMs = 500;
const noticesKept = 20;

/** The life that a shell's run shares: it lasts until the shell says that it is over, or is gone. */
export class ShellLife implements ShellVoice {
  readonly #options: ShellLifeOptions;
  /** Processes that may carry the run's id, but only to end it. */
  readonly askerPids: number[] = [];
  readonly #askers: Asker[] = [];
  readonly #notices: string[] = [];
  #shell: ProcessIdentity | undefined;
  #runId = "";
  #patience: NodeJS.Timeout | undefined;
  #poll: NodeJS.Timeout | undefined;
  #isOver = false;
  #answered: ShellRunSummary | undefined;

  constructor(options: ShellLifeOptions) {
    this.#options = options;
  }

  /** The shell can be heard of from now on: what it is to evaluate gets printed. `runId`: as it is exported. */
  begin(runId: string): void {
    this.#runId = runId;
    // Until the shell is known, other commands are to see that the run is not a dead one.
    this.#keepLiving({ pid: process.pid, startTicks: readStartTicks(process.pid) ?? 0 });
    this.#patience = setTimeout(() => this.#over({ missing: "killed" }), pidPatienceMs);
    this.#poll = setInterval(() => this.#look(), pollMs);
  }

  /** The first pid counts. */
  hearPid(pid: number): void {
    if (this.#shell !== undefined || this.#isOver) return;
    clearTimeout(this.#patience);
    const startTicks = readStartTicks(pid);
    if (startTicks === undefined) return this.#overAsLeft(this.#storedEnd ?? { missing: "killed" });
    this.#shell = { pid, startTicks };
    this.#keepLiving(this.#shell);
    this.#options.onShell(this.#shell);
  }

  end(request: EndRequest): Promise<ShellRunSummary> {
    if (request.pid !== undefined) this.askerPids.push(request.pid);
    if (this.#answered !== undefined) return Promise.resolve({ ...this.#answered, isAgain: true });
    const { promise, resolve } = Promise.withResolvers<ShellRunSummary>();
    const isAgain = this.#isOver;
    this.#askers.push({
      process: identify(request.pid),
      answer: (summary) => resolve(isAgain ? { ...summary, isAgain } : summary),
    });
    const end = toAttemptEnd(request, this.#options.now());
    if (!isAgain) this.#keep(journalFiles.outcome, end);
    this.#over(end);
    return promise;
  }

  /** All is stored, or what is not is left to a later command. */
  answer(summary: RunSummary): void {
    const answered = { ...summary, notices: this.#notices };
    this.#answered = answered;
    for (const { answer } of this.#askers.splice(0)) answer(answered);
  }

  note(text: string): void {
    if (this.#notices.length < noticesKept) this.#notices.push(text);
  }

  /** Somebody waits for the answer. */
  get isWaitedFor(): boolean {
    return this.#askers.some(({ process }) => process !== undefined && isProcessAlive(process));
  }

  #look(): void {
    const end = this.#storedEnd;
    if (end !== undefined) this.#overAsLeft(end);
    else if (this.#shell !== undefined && !isProcessAlive(this.#shell)) this.#over({ missing: "killed" });
  }

  /** What `track end` left where it found no socket. */
  get #storedEnd(): AttemptEnd | LeftEnd | undefined {
    return readJson(join(this.#options.folder, journalFiles.outcome)) as LeftEnd | undefined;
  }

  #overAsLeft(end: AttemptEnd | LeftEnd): void {
    if ("askerPid" in end) {
      this.askerPids.push(end.askerPid);
      this.#askers.push({ process: identify(end.askerPid), answer: () => {} });
    }
    this.#over(end);
  }

  #over(end: AttemptEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#patience);
    clearInterval(this.#poll);
    this.#options.onEnd(end);
  }

  #keepLiving(identity: ProcessIdentity): void {
    this.#keep(journalFiles.command, { ...identity, console: { kind: "none" }, runId: this.#runId });
  }

  #keep(name: string, content: unknown): void {
    try {
      writePrivate(this.#options.folder, name, JSON.stringify(content));
    } catch {
      // Only for others to see, and for a later command if this process dies as well; a full disk is told by the journal.
    }
  }
}

function identify(pid: number | undefined): ProcessIdentity | undefined {
  const startTicks = pid === undefined ? undefined : readStartTicks(pid);
  return pid === undefined || startTicks === undefined ? undefined : { pid, startTicks };
}
