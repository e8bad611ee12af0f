import { closeSync } from "node:fs";
import { hasCode, messageOf } from "../../util/error-code.ts";
import type { ConsoleSource } from "../../wire/control-messages.ts";
import type { SignalTarget } from "../signals.ts";
import { makePipe } from "./make-pipe.ts";
import { makePty, readWindowSize, type Pty } from "./make-pty.ts";
import { Output } from "./output.ts";
import type { CaptureChannel, CapturePlan } from "./plan-capture.ts";
import { Relay } from "./relay.ts";
import { Spool, type SpoolOptions } from "./spool.ts";
import { handOver, type PassingOptions, StandIn } from "./stand-in.ts";

export interface ConsoleCaptureOptions {
  /** Where captured bytes are appended; absent: nothing passes through the wrapper. */
  readonly spool?: SpoolPlace;
  readonly runId: string | undefined;
  /** The output goes on when the wrapper is killed. */
  readonly survive: boolean;
  /** Pipes that the launcher made. */
  readonly pipeFds: readonly number[];
  /** Called when capturing ends early, or cannot begin, for a reason that the user should know. */
  readonly onCaptureEnd: (reason: string) => void;
}

export type SpoolPlace = Pick<SpoolOptions, "path" | "segmentBytes">;

interface OpenChannel {
  readonly channel: CaptureChannel;
  readonly output: Output;
  readonly readFd: number;
  /** What the command gets. */
  readonly commandFd: number;
  readonly pty?: Pty;
}

/**
 * The console of one command: what it gets as descriptors 1 and 2, and the relays that pass its output on. Nothing that fails here
 * keeps the command from its output: it then simply gets the caller's own descriptor.
 */
export class ConsoleCapture {
  readonly source: ConsoleSource;
  readonly #options: ConsoleCaptureOptions;
  readonly #spool: Spool | undefined;
  #channels: OpenChannel[] = [];
  #relays: Relay[] = [];
  #standIns: readonly StandIn[] = [];
  #stopResizing: () => void = () => undefined;

  /** Opens all that is needed before the command starts. */
  constructor(plan: CapturePlan, options: ConsoleCaptureOptions) {
    this.#options = options;
    this.#spool = plan.channels.length > 0 ? this.#openSpool() : undefined;
    const pipeFds = [...options.pipeFds];
    if (this.#spool !== undefined) this.#channels = plan.channels.flatMap((channel) => this.#open(channel, pipeFds));
    for (const fd of pipeFds) closeSync(fd);
    this.source = this.#describe(plan);
  }

  /** What the command gets as descriptors 1 and 2. */
  get commandFds(): readonly [out: number | "inherit", err: number | "inherit"] {
    return [this.#commandFd(1), this.#commandFd(2)];
  }

  /** Open descriptors that every process started from now on would inherit (a pseudo terminal's other side). */
  get leakingFds(): readonly number[] {
    return this.#channels.flatMap(({ pty }) => (pty === undefined ? [] : [pty.masterFd]));
  }

  /** The command has been started: its output is passed on from here. */
  start(target: SignalTarget): void {
    const spool = this.#spool;
    if (spool === undefined) return;
    if (this.#options.survive) this.#standIns = this.#channels.map((open) => new StandIn(open, this.#passing(spool)));
    this.#relays = this.#channels.map(({ channel, output, readFd, commandFd }) => {
      closeSync(commandFd);
      return new Relay({ kind: channel.kind, readFd, output, spool });
    });
    this.#followSize(target);
  }

  /** The command could not be started. */
  abandon(): void {
    for (const { readFd, commandFd } of this.#channels.splice(0)) {
      closeSync(readFd);
      closeSync(commandFd);
    }
    void this.#spool?.close();
  }

  /** The command has ended. Resolves when its output has been passed on and what outlives it is cared for. */
  async finish(): Promise<void> {
    this.#stopResizing();
    const areDone = await Promise.all(this.#relays.map((relay) => relay.drain()));
    await this.#spool?.close();
    areDone.forEach((isDone, index) => {
      const open = this.#channels[index];
      if (!isDone && open !== undefined && this.#spool !== undefined) handOver(open, this.#passing(this.#spool));
    });
    await Promise.all(this.#standIns.map((standIn) => standIn.release()));
  }

  /** Someone is tired of waiting for a reader that takes nothing more: what it has not taken is dropped. */
  giveUp(): void {
    for (const relay of this.#relays) relay.giveUp();
  }

  #passing(spool: Spool): PassingOptions {
    const { runId, spool: place } = this.#options;
    return { spool, runId, segmentBytes: place?.segmentBytes ?? 0, leakingFds: this.leakingFds };
  }

  #openSpool(): Spool | undefined {
    const { spool, onCaptureEnd } = this.#options;
    if (spool === undefined) return undefined;
    try {
      return new Spool({
        ...spool,
        onEnd: onCaptureEnd,
        onReady: () => this.#relays.forEach((relay) => relay.spoolIsReady()),
      });
    } catch (error) {
      // A full or read-only disk, no descriptors: the console is not captured, the command runs.
      onCaptureEnd(messageOf(error));
      return undefined;
    }
  }

  #open(channel: CaptureChannel, pipeFds: number[]): OpenChannel[] {
    try {
      const output = new Output(channel.fds[0] ?? 1, channel.target);
      if (channel.kind === "pipe") {
        const pipe = makePipe(pipeFds);
        if (pipe !== undefined) return [{ channel, output, readFd: pipe.readFd, commandFd: pipe.writeFd }];
      } else {
        const pty = makePty(channel.fds[0] ?? 1);
        if (pty !== undefined) return [{ channel, output, readFd: pty.masterFd, commandFd: pty.slaveFd, pty }];
      }
      output.close();
      this.#options.onCaptureEnd(`no ${channel.kind === "pty" ? "pseudo terminal" : "pipe"} could be made`);
    } catch (error) {
      // Another user's terminal cannot be opened again. ENXIO: a pipe that nobody reads any more.
      if (!hasCode(error, "ENXIO")) this.#options.onCaptureEnd(messageOf(error));
    }
    return [];
  }

  #describe({ files, reason }: CapturePlan): ConsoleSource {
    const path = this.#channels.length > 0 ? this.#options.spool?.path : undefined;
    if (files.length > 0) return { kind: "files", files: path === undefined ? files : [...files, { path, offset: 0 }] };
    return path !== undefined ? { kind: "spool" } : { kind: "none", ...(reason !== undefined && { reason }) };
  }

  #commandFd(fd: 1 | 2): number | "inherit" {
    return this.#channels.find(({ channel }) => channel.fds.includes(fd))?.commandFd ?? "inherit";
  }

  /**
   * The kernel tells the real terminal's group of a new size; the command's own terminal has to follow, and all of that group are told
   * again: they may have looked too early.
   */
  #followSize(target: SignalTarget): void {
    const terminals = this.#channels.filter(({ pty }) => pty !== undefined);
    if (terminals.length === 0) return;
    const adapt = (): boolean => terminals.map(adaptSize).includes(true);
    let isEcho = false;
    const handlers = {
      SIGWINCH: (): void => {
        const isOwn = isEcho;
        isEcho = adapt();
        if (isEcho) process.kill(0, "SIGWINCH");
        else if (!isOwn) target.kill("SIGWINCH");
      },
      // Nobody tells a group that was stopped meanwhile; it may look all the same.
      SIGCONT: (): void => void adapt(),
    };
    const entries = Object.entries(handlers) as [keyof typeof handlers, () => void][];
    for (const [signal, handler] of entries) process.on(signal, handler);
    this.#stopResizing = () => {
      for (const [signal, handler] of entries) process.off(signal, handler);
    };
  }
}

/** Gives the command's terminal the size of the real one; whether it had another. */
function adaptSize({ channel, pty }: OpenChannel): boolean {
  const size = readWindowSize(channel.fds[0] ?? 1);
  return size !== undefined && pty?.resize(...size) === true;
}
