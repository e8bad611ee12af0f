import type { Server, Socket } from "node:net";
import { failOnPurpose } from "../util/test-fault.ts";
import type { RecorderMessage, WrapperMessage } from "../wire/control-messages.ts";
import {
  type EarlyKey,
  meetEarlyRecorder,
  type RecorderChannel,
  type RecorderListener,
  spawnRecorder,
} from "./recorder-channel.ts";

export interface RecorderProcessOptions {
  readonly hello: WrapperMessage & { readonly type: "hello" };
  /** Handed over with the hello, so that it outlives this process. */
  readonly server?: Server;
  /** Handed over as well; every recorder gets the same port and token. */
  readonly endpoint?: { readonly server: Server; readonly token: string };
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors that only the command may inherit, as `fd` and link text. */
  readonly foreignDescriptors?: readonly (readonly [fd: number, link: string])[];
  /** Of a recorder that was started beside this process and waits to be met. */
  readonly earlyKey?: EarlyKey;
  onMessage(message: RecorderMessage): void;
  /** The recorder failed three times: recording goes no further than the journal. */
  onGivenUp(): void;
}

/** A connection and what its client wants to speak: our lines, or HTTP. */
interface Connection {
  readonly socket: Socket;
  readonly to: "socket" | "endpoint";
}

const silentSecondsAllowed = 10;
const failuresAllowed = 3;
/** A recorder that was started with this process has come up by then, or never will. */
const meetingTimeoutMs = 2000;

/**
 * The recorder as its starter sees it: started, told what happened so far, started again when it dies or is silent for
 * 10 s, given up after the third failure. Nothing here throws: a recorder that cannot be had must not hurt the command.
 */
export class RecorderProcess {
  readonly #options: RecorderProcessOptions;
  readonly #said: WrapperMessage[] = [];
  /** Connections that no recorder has yet. */
  readonly #waiting: Connection[] = [];
  /** Connections that were handed over; ours stays open until the recorder says that it has its own. */
  readonly #handed: Connection[] = [];
  /** Resolves once a recorder has been told of the run, or none can be had: before that nobody would go on with it. */
  readonly isTold: Promise<void>;
  #noteTold: () => void = () => undefined;
  #isReady = false;
  #process: RecorderChannel | undefined;
  #listener: RecorderListener | undefined;
  #earlyKey: EarlyKey | undefined;
  #watch: NodeJS.Timeout | undefined;
  #silentSeconds = 0;
  #failures = 0;
  #isDone = false;

  constructor(options: RecorderProcessOptions) {
    this.#options = options;
    this.#earlyKey = options.earlyKey;
    this.isTold = new Promise((resolve) => (this.#noteTold = resolve));
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get isGivenUp(): boolean {
    return this.#failures >= failuresAllowed;
  }

  /** Starts the recorder; what was said before is repeated to every later one. */
  start(): void {
    if (this.#isDone) return;
    try {
      if (this.#earlyKey === undefined) this.#spawn();
      else this.#meet(this.#earlyKey);
    } catch {
      this.#failHalfWay();
    }
    this.#watch ??= setInterval(() => this.#countSilence(), 1000).unref();
  }

  tell(message: WrapperMessage): void {
    this.#said.push(message);
    this.#send(message);
  }

  /** Passes on a connection that this process's copy of a server accepted. */
  handConnection(socket: Socket, to: Connection["to"] = "socket"): void {
    if (this.isGivenUp) socket.destroy();
    else if (this.#isReady) this.#hand({ socket, to });
    else this.#waiting.push({ socket, to });
  }

  /** No further restarts: all is stored, or the starter is leaving. */
  release(): void {
    this.#isDone = true;
    clearInterval(this.#watch);
  }

  #meet(key: EarlyKey): void {
    this.#earlyKey = undefined;
    const { env } = this.#options;
    const met = this.#listen((listener) => meetEarlyRecorder({ key, env }, listener, meetingTimeoutMs));
    met
      .then((channel) => {
        if (channel === undefined) this.start();
        else this.#use(channel);
      })
      .catch(() => this.#failHalfWay());
  }

  /** No process could be made, or nothing sent to it (EAGAIN, ENOMEM, EMFILE): one failure of the recorder, not a second at its end. */
  #failHalfWay(): void {
    const half = this.#process;
    this.#process = undefined;
    half?.kill();
    this.#fail();
  }

  #spawn(): void {
    const { env, foreignDescriptors = [], hello } = this.#options;
    const start = { env, foreignDescriptors, isDeathWatched: hello.kind === "program" };
    this.#use(this.#listen((listener) => spawnRecorder(start, listener)));
  }

  /** What a recorder says counts as long as it is the one in use. */
  #listen<Opened>(open: (listener: RecorderListener) => Opened): Opened {
    const listener: RecorderListener = {
      onMessage: (message) => {
        if (this.#listener === listener) this.#hear(message);
      },
      onLost: () => {
        if (this.#listener === listener) this.#lose();
      },
    };
    this.#listener = listener;
    return open(listener);
  }

  #use(channel: RecorderChannel): void {
    this.#process = channel;
    this.#silentSeconds = 0;
    failOnPurpose("hand-over");
    const { hello, server, endpoint } = this.#options;
    this.#send(hello, server);
    if (endpoint !== undefined) this.#send({ type: "endpoint", token: endpoint.token }, endpoint.server);
    for (const message of this.#said) this.#send(message);
    this.#noteTold();
  }

  #hand(connection: Connection): void {
    this.#handed.push(connection);
    this.#send({ type: "connection", to: connection.to }, connection.socket);
  }

  #hear(message: RecorderMessage): void {
    this.#silentSeconds = 0;
    if (message.type === "accepted") this.#handed.shift()?.socket.destroy();
    if (message.type === "ready") {
      this.#isReady = true;
      for (const connection of this.#waiting.splice(0)) this.#hand(connection);
    }
    this.#options.onMessage(message);
  }

  #lose(): void {
    this.#listener = undefined;
    this.#process = undefined;
    this.#isReady = false;
    this.#waiting.unshift(...this.#handed.splice(0));
    if (!this.#isDone) this.#fail();
  }

  #fail(): void {
    this.#failures += 1;
    if (this.isGivenUp) {
      this.release();
      this.#noteTold();
      for (const { socket } of this.#waiting.splice(0)) socket.destroy();
      this.#options.onGivenUp();
    } else {
      setTimeout(() => this.start(), 100 * this.#failures).unref();
    }
  }

  // Counted in ticks of this process, not by the clock: after a suspend both sides were asleep.
  #countSilence(): void {
    this.#silentSeconds += 1;
    if (this.#silentSeconds < silentSecondsAllowed || this.#process === undefined) return;
    this.#process.kill();
  }

  #send(message: WrapperMessage, handle?: Server | Socket): void {
    this.#process?.send(message, handle);
  }
}
