import { constants, openSync } from "node:fs";
import { constants as osConstants } from "node:os";
import { readStat } from "../util/proc.ts";
import { Canary } from "./canary.ts";
import { failOnPurpose } from "../util/test-fault.ts";
import { bitOf, type ProcessState, readProcessState } from "./process-state.ts";
import { monotonicMs } from "../util/monotonic.ts";

/** The command as signals see it. */
export interface SignalTarget {
  readonly pid: number;
  /** Sends a signal to that very process; does nothing once it has been waited for. */
  kill(signal: NodeJS.Signals): void;
}

export interface SignalRelayOptions {
  /** Numbers of the signals that were ignored when the wrapper started. */
  readonly ignoredSignals: readonly number[];
  /** A pipe of the launcher's to keep canaries alive with. */
  readonly pipeFd?: number;
  /** INT, TERM and the like that arrive when the command is gone. */
  readonly onLateSignal?: (signal: NodeJS.Signals) => void;
}

/** Signals that end a process by default and that someone may send to the wrapper instead of the command. */
const relayed = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGVTALRM",
  "SIGPROF",
  "SIGXCPU",
  "SIGIO",
  "SIGPWR",
  "SIGSTKFLT",
  "SIGABRT",
] as const satisfies readonly NodeJS.Signals[];

/** How long a signal that came to the wrapper may need to reach the rest of its group, one process after the other. */
const groupSpreadMs = 10;
/** A canary killed this long ago still counts as hit by the signal that the wrapper gets now. */
const recentDeathMs = 200;
/** A canary younger than this says nothing about a signal that may be older than it. */
const tooYoungMs = 5;

/**
 * Gives the command each signal once, whoever sent it to whom: what reached the whole process group has reached the command as well,
 * what came to the wrapper alone is passed on. The canary tells the two apart (process-wrapper.md 2.2).
 */
export class SignalRelay {
  readonly #onLateSignal: (signal: NodeJS.Signals) => void;
  readonly #handlers: (readonly [NodeJS.Signals, () => void])[] = [];
  readonly #deaths: { readonly signal: NodeJS.Signals; readonly at: number }[] = [];
  readonly #canaryStdin: number | "pipe";
  readonly #kept: NodeJS.Signals[] = [];
  #canary: Canary | undefined;
  #target: SignalTarget | undefined;
  #isGone = false;
  /** True in the first turn of the event loop after the spawn: a signal seen then may be older than the command. */
  #isFirstTurn = true;
  /** A signal had hit the group before there was a command. */
  #isHitBeforeBirth = false;
  /** The command's state right after the spawn, where a signal had hit the group by then. */
  #stateAtBirth: ProcessState | undefined;
  #lastVerdict: { readonly signal: NodeJS.Signals; readonly isGroupWide: Promise<boolean> } | undefined;

  /** Catches signals from here on and keeps them; a canary lives when this returns. */
  constructor(options: SignalRelayOptions) {
    this.#onLateSignal = options.onLateSignal ?? (() => undefined);
    this.#canaryStdin = openForWriting(options.pipeFd) ?? "pipe";
    for (const signal of relayed) this.#listen(signal, () => this.#receive(signal));
    for (const signal of otherIgnored(options.ignoredSignals)) this.#listen(signal, () => undefined);
    this.#hatch();
  }

  /** To be called right before the spawn. */
  beforeSpawn(): void {
    this.#isHitBeforeBirth = this.#canary?.isHit() ?? false;
  }

  /** The command has been started: what was kept is delivered. */
  attach(target: SignalTarget): void {
    this.#target = target;
    if (this.#canary?.isHit() === true) this.#stateAtBirth = readProcessState(target.pid);
    for (const signal of this.#kept.splice(0)) this.#receive(signal);
    setImmediate(() => setImmediate(() => (this.#isFirstTurn = false)));
  }

  /** The command is gone: its pid may belong to someone else soon. Signals go to `onLateSignal` from now on. */
  async detach(): Promise<void> {
    this.#isGone = true;
    this.#target = undefined;
    const canary = this.#canary;
    this.#canary = undefined;
    await canary?.release();
  }

  /** Gives all signals back to what they do by default. */
  close(): void {
    void this.detach();
    for (const [signal, handler] of this.#handlers.splice(0)) process.off(signal, handler);
  }

  /** Whether the whole group has just been stopped, as ^Z does it. */
  isGroupStopped(): boolean {
    return this.#canary?.isStopped() ?? false;
  }

  #listen(signal: NodeJS.Signals, handler: () => void): void {
    process.on(signal, handler);
    this.#handlers.push([signal, handler]);
  }

  #receive(signal: NodeJS.Signals): void {
    if (signal === "SIGUSR2") failOnPurpose("signal");
    if (this.#isGone) this.#onLateSignal(signal);
    else if (this.#target === undefined) this.#kept.push(signal);
    else void this.#judgeAndDeliver(signal, this.#isFirstTurn);
  }

  async #judgeAndDeliver(signal: NodeJS.Signals, isEarly: boolean): Promise<void> {
    const isGroupWide = await this.#judge(signal);
    const target = this.#target;
    if (target === undefined) {
      this.#onLateSignal(signal);
      return;
    }
    const isOlder = isEarly && (this.#isHitBeforeBirth || isUntouched(this.#stateAtBirth, signal));
    if (!isGroupWide || isOlder) target.kill(signal);
  }

  /** Whether the signal reached the whole group. */
  #judge(signal: NodeJS.Signals): Promise<boolean> {
    const last = this.#lastVerdict;
    const canary = this.#canary;
    const isTooYoung = canary !== undefined && monotonicMs() - canary.bornAt < tooYoungMs;
    // Two signals within a few ms: the canary that could tell about the second one had not hatched when it was sent.
    if (isTooYoung && last?.signal === signal) return last.isGroupWide;
    const isGroupWide = this.#takeRecentDeath(signal) ? Promise.resolve(true) : this.#watch(canary, signal);
    this.#lastVerdict = { signal, isGroupWide };
    return isGroupWide;
  }

  #watch(canary: Canary | undefined, signal: NodeJS.Signals): Promise<boolean> {
    if (canary === undefined) return Promise.resolve(isFromTerminal(signal));
    // Renewed before the old one is judged, so that the next signal finds one.
    this.#hatch();
    const deadline = monotonicMs() + groupSpreadMs;
    return new Promise((resolve) => {
      const look = (): void => {
        const isHit = canary.isHit();
        if (!isHit && monotonicMs() < deadline) {
          setTimeout(look, 2);
          return;
        }
        void canary.release();
        resolve(isHit);
      };
      look();
    });
  }

  #takeRecentDeath(signal: NodeJS.Signals): boolean {
    const since = monotonicMs() - recentDeathMs;
    while (this.#deaths[0] !== undefined && this.#deaths[0].at < since) this.#deaths.shift();
    const index = this.#deaths.findIndex((death) => death.signal === signal);
    if (index >= 0) this.#deaths.splice(index, 1);
    return index >= 0;
  }

  #hatch(): void {
    this.#canary = Canary.hatch(this.#canaryStdin, (canary) => {
      if (this.#isGone || canary !== this.#canary) return;
      // The signal that killed it has not come to the wrapper yet, or never will.
      if (canary.death !== undefined) this.#deaths.push(canary.death);
      this.#hatch();
    });
  }
}

/** Holds the pipe open, so that its readers end with this process. Returns it; `undefined` where that cannot be. */
function openForWriting(pipeFd: number | undefined): number | undefined {
  if (pipeFd === undefined) return undefined;
  try {
    openSync(`/proc/self/fd/${pipeFd}`, constants.O_WRONLY);
    return pipeFd;
  } catch {
    // No descriptors left: a pipe of Node's own may still be had, and the canary can be done without.
    return undefined;
  }
}

/** The signals that the caller ignored and that we do not relay: they must not end or stop the wrapper either. */
function otherIgnored(numbers: readonly number[]): NodeJS.Signals[] {
  const names = Object.entries(osConstants.signals) as [NodeJS.Signals, number][];
  const untouchable: readonly NodeJS.Signals[] = [
    "SIGPIPE",
    "SIGXFSZ",
    "SIGTSTP",
    "SIGCONT",
    "SIGCHLD",
    "SIGKILL",
    "SIGSTOP",
  ];
  const isFault = (signal: NodeJS.Signals): boolean => ["SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL"].includes(signal);
  const known: readonly NodeJS.Signals[] = [...relayed, ...untouchable];
  return names
    .filter(([name, number]) => numbers.includes(number) && !known.includes(name) && !isFault(name))
    .map(([name]) => name);
}

/** Whether a process in that state, which has had no time to catch anything, had not got that signal: it would be dying. */
function isUntouched(state: ProcessState | undefined, signal: NodeJS.Signals): boolean {
  if (state === undefined || state.letter === "Z" || state.letter === "X") return false;
  const bit = bitOf(osConstants.signals[signal]);
  const isPending = (state.pending & (bit | bitOf(osConstants.signals.SIGKILL))) !== 0;
  return !isPending && ((state.caught | state.ignored | state.blocked) & bit) === 0;
}

/** The guess without a canary: INT and QUIT for the terminal's foreground group come from its keyboard. */
function isFromTerminal(signal: NodeJS.Signals): boolean {
  const stat = readStat(process.pid);
  return (signal === "SIGINT" || signal === "SIGQUIT") && stat !== undefined && stat[2] === stat[5];
}
