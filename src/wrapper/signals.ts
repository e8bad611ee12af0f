import { constants, openSync } from "node:fs";
import { constants as osConstants } from "node:os";
import { readStat } from "../util/proc.ts";
import { Canary } from "./canary.ts";
import { failOnPurpose } from "../util/test-fault.ts";
import { bitOf, isDead, type ProcessState, readProcessState } from "./process-state.ts";
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

/** What was seen right after the command was started, where a signal had hit the group by then. */
interface Birth {
  readonly canary: Canary;
  readonly wasHitBefore: boolean;
  readonly isCanaryGone: boolean;
  readonly command: ProcessState | undefined;
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
/** For so long a verdict is also that on another signal of its kind which no canary can tell about. */
const verdictHoldsMs = 30;

/**
 * Gives the command each signal once, whoever sent it to whom: what reached the whole process group has reached the command as well,
 * what came to the wrapper alone is passed on. The canary tells the two apart (process-wrapper.md 2.2).
 */
export class SignalRelay {
  readonly #onLateSignal: (signal: NodeJS.Signals) => void;
  readonly #handlers: (readonly [NodeJS.Signals, () => void])[] = [];
  readonly #deaths: { readonly signal: NodeJS.Signals; readonly at: number; readonly canary: Canary }[] = [];
  readonly #canaryStdin: number | "pipe";
  readonly #kept: NodeJS.Signals[] = [];
  #canary: Canary | undefined;
  #target: SignalTarget | undefined;
  #isGone = false;
  #birth: Birth | undefined;
  #lastVerdict:
    | { readonly signal: NodeJS.Signals; readonly isGroupWide: Promise<boolean>; readonly at: number }
    | undefined;

  /** Catches signals from here on and keeps them; a canary lives when this returns. */
  constructor(options: SignalRelayOptions) {
    this.#onLateSignal = options.onLateSignal ?? (() => undefined);
    this.#canaryStdin = openForWriting(options.pipeFd) ?? "pipe";
    for (const signal of relayed) this.#listen(signal, () => this.#receive(signal));
    for (const signal of otherIgnored(options.ignoredSignals)) this.#listen(signal, () => undefined);
    this.#hatch();
  }

  /** Starts the command by `spawn`, which should do nothing else: a signal that comes meanwhile is told apart by its time. */
  aroundSpawn<Child extends { readonly pid?: number | undefined }>(spawn: () => Child): Child {
    const canary = this.#canary;
    const wasHitBefore = canary?.isHit() ?? false;
    const child = spawn();
    if (canary?.isHit() === true) {
      const isCanaryGone = canary.isGone();
      const command = child.pid === undefined ? undefined : readProcessState(child.pid);
      this.#birth = { canary, wasHitBefore, isCanaryGone, command };
    }
    return child;
  }

  /** The command has been started: what was kept is delivered. */
  attach(target: SignalTarget): void {
    this.#target = target;
    for (const signal of this.#kept.splice(0)) this.#receive(signal);
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
    else void this.#judgeAndDeliver(signal);
  }

  async #judgeAndDeliver(signal: NodeJS.Signals): Promise<void> {
    const { isGroupWide, canary } = this.#judge(signal);
    const isCommandHit = (await isGroupWide) && !this.#isOlderThanCommand(signal, canary);
    const target = this.#target;
    if (target === undefined) this.#onLateSignal(signal);
    else if (!isCommandHit) target.kill(signal);
  }

  /** Whether the signal reached the whole group, and the canary that it is told by. */
  #judge(signal: NodeJS.Signals): { readonly isGroupWide: Promise<boolean>; readonly canary?: Canary | undefined } {
    const last = this.#lastVerdict;
    const canary = this.#canary;
    const now = monotonicMs();
    const victim = this.#takeRecentDeath(signal);
    const isTooYoung = canary !== undefined && now - canary.bornAt < tooYoungMs;
    // Two signals within a few ms: the canary that could tell about the second one had not hatched when it was sent.
    if (victim === undefined && isTooYoung && last?.signal === signal && now - last.at < verdictHoldsMs) {
      return { isGroupWide: last.isGroupWide };
    }
    const isGroupWide = victim !== undefined ? Promise.resolve(true) : this.#watch(canary, signal);
    this.#lastVerdict = { signal, isGroupWide, at: now };
    return { isGroupWide, canary: victim ?? canary };
  }

  /** However late the wrapper itself gets to see it: the thread that takes it may be kept from running. */
  #isOlderThanCommand(signal: NodeJS.Signals, canary: Canary | undefined): boolean {
    const birth = this.#birth;
    if (birth === undefined || birth.canary !== canary) return false;
    return birth.wasHitBefore || isUntouched(birth, signal);
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

  #takeRecentDeath(signal: NodeJS.Signals): Canary | undefined {
    const since = monotonicMs() - recentDeathMs;
    while (this.#deaths[0] !== undefined && this.#deaths[0].at < since) this.#deaths.shift();
    const index = this.#deaths.findIndex((death) => death.signal === signal);
    return index >= 0 ? this.#deaths.splice(index, 1)[0]?.canary : undefined;
  }

  #hatch(): void {
    this.#canary = Canary.hatch(this.#canaryStdin, (canary) => {
      if (this.#isGone || canary !== this.#canary) return;
      // The signal that killed it has not come to the wrapper yet, or never will.
      if (canary.death !== undefined) this.#deaths.push({ ...canary.death, canary });
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

/**
 * Whether a command that has just been started had not got a signal that the group has got. One that catches it already may have done
 * with it: only if that was a moment ago, and then the canary has hardly had the time to die of it.
 */
function isUntouched({ command, isCanaryGone }: Birth, signal: NodeJS.Signals): boolean {
  if (command === undefined || isDead(command)) return false;
  const bit = bitOf(osConstants.signals[signal]);
  if ((command.pending & (bit | bitOf(osConstants.signals.SIGKILL))) !== 0) return false;
  return (command.caught & bit) === 0 || isCanaryGone;
}

/** The guess without a canary: INT and QUIT for the terminal's foreground group come from its keyboard. */
function isFromTerminal(signal: NodeJS.Signals): boolean {
  const stat = readStat(process.pid);
  return (signal === "SIGINT" || signal === "SIGQUIT") && stat !== undefined && stat[2] === stat[5];
}
