import { type ChildProcess, spawn } from "node:child_process";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { failOnPurpose } from "../util/test-fault.ts";
import type { RecorderMessage, WrapperMessage } from "../wire/control-messages.ts";

export interface RecorderProcessOptions {
  readonly hello: WrapperMessage & { readonly type: "hello" };
  /** Handed over with the hello, so that it outlives this process. */
  readonly server?: Server;
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors that only the command may inherit, as `fd` and link text. */
  readonly foreignDescriptors?: readonly (readonly [fd: number, link: string])[];
  onMessage(message: RecorderMessage): void;
  /** The recorder failed three times: recording goes no further than the journal. */
  onGivenUp(): void;
}

const silentSecondsAllowed = 10;
const failuresAllowed = 3;

/**
 * The recorder as its starter sees it: started, told what happened so far, started again when it dies or is silent for
 * 10 s, given up after the third failure. Nothing here throws: a recorder that cannot be had must not hurt the command.
 */
export class RecorderProcess {
  readonly #options: RecorderProcessOptions;
  readonly #said: WrapperMessage[] = [];
  /** Connections that no recorder has yet. */
  readonly #waiting: Socket[] = [];
  /** Connections that were handed over; ours stays open until the recorder says that it has its own. */
  readonly #handed: Socket[] = [];
  #isReady = false;
  #process: ChildProcess | undefined;
  #watch: NodeJS.Timeout | undefined;
  #silentSeconds = 0;
  #failures = 0;
  #isDone = false;

  constructor(options: RecorderProcessOptions) {
    this.#options = options;
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
      this.#spawn();
    } catch {
      // No process could be made, or nothing sent to it (EAGAIN, ENOMEM, EMFILE): one failure of the recorder, not a second at its end.
      const half = this.#process;
      this.#process = undefined;
      half?.kill("SIGKILL");
      this.#fail();
    }
    this.#watch ??= setInterval(() => this.#countSilence(), 1000).unref();
  }

  tell(message: WrapperMessage): void {
    this.#said.push(message);
    this.#send(message);
  }

  /** Passes on a connection that this process's copy of the server accepted. */
  handConnection(socket: Socket): void {
    if (this.isGivenUp) socket.destroy();
    else if (this.#isReady) this.#hand(socket);
    else this.#waiting.push(socket);
  }

  /** No further restarts: all is stored, or the starter is leaving. */
  release(): void {
    this.#isDone = true;
    clearInterval(this.#watch);
  }

  #spawn(): void {
    const foreign = (this.#options.foreignDescriptors ?? []).map(([fd, link]) => `${fd}=${link}`);
    const child = spawn(process.execPath, [...nodeArguments, recorderEntry(), ...foreign], {
      detached: true,
      cwd: "/",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      env: { ...this.#options.env, ...compileCache },
    });
    this.#process = child;
    this.#silentSeconds = 0;
    child.on("message", (message) => this.#hear(child, message as RecorderMessage));
    child.on("error", () => this.#lose(child));
    child.on("exit", () => this.#lose(child));
    child.unref();
    failOnPurpose("hand-over");
    this.#send(this.#options.hello, this.#options.server);
    for (const message of this.#said) this.#send(message);
  }

  #hand(socket: Socket): void {
    this.#handed.push(socket);
    this.#send({ type: "connection" }, socket);
  }

  #hear(child: ChildProcess, message: RecorderMessage): void {
    if (child !== this.#process) return;
    this.#silentSeconds = 0;
    if (message.type === "accepted") this.#handed.shift()?.destroy();
    if (message.type === "ready") {
      this.#isReady = true;
      for (const socket of this.#waiting.splice(0)) this.#hand(socket);
    }
    this.#options.onMessage(message);
  }

  #lose(child: ChildProcess): void {
    if (child !== this.#process) return;
    this.#process = undefined;
    this.#isReady = false;
    this.#waiting.unshift(...this.#handed.splice(0));
    if (!this.#isDone) this.#fail();
  }

  #fail(): void {
    this.#failures += 1;
    if (this.isGivenUp) {
      this.release();
      for (const socket of this.#waiting.splice(0)) socket.destroy();
      this.#options.onGivenUp();
    } else {
      setTimeout(() => this.start(), 100 * this.#failures).unref();
    }
  }

  // Counted in ticks of this process, not by the clock: after a suspend both sides were asleep.
  #countSilence(): void {
    this.#silentSeconds += 1;
    if (this.#silentSeconds < silentSecondsAllowed || this.#process === undefined) return;
    this.#process.kill("SIGKILL");
  }

  #send(message: WrapperMessage, handle?: Server | Socket): void {
    // A channel that is closed by now belongs to a recorder that died: its successor is told everything again.
    if (this.#process?.connected === true) this.#process.send(message, handle, { keepOpen: true }, () => {});
  }
}

/**
 * V8's own sizes leave 240 MB resident after a million points, these 140 and no less speed. Beside the 64 MiB that may wait for
 * a stuck disk there is room for all else.
 */
const nodeArguments = ["--max-semi-space-size=4", "--max-old-space-size=128"];

/** The recorder's compiled code lies where the launcher has the wrapper's; recorder-main keeps the variable to itself. */
const compileCache = import.meta.filename.endsWith(".js")
  ? { NODE_COMPILE_CACHE: join(import.meta.dirname, ".cache") }
  : {};

/** The recorder's program lies beside this one: a chunk of the bundle, or the source when run from a checkout. */
function recorderEntry(): string {
  if (import.meta.filename.endsWith(".ts")) return join(import.meta.dirname, "../recorder/recorder-main.ts");
  return join(import.meta.dirname, "recorder.js");
}
