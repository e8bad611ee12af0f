import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type Finished, type Started, type TrackRig, waitFor } from "./rig.ts";

/** A run whose command does nothing until it is told to end, so that the test itself can speak. */
export class OpenRun {
  readonly started: Started;
  /** What the command finds in its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly #rig: TrackRig;

  static async start(
    rig: TrackRig,
    options: readonly string[] = [],
    command: readonly string[] = ["run"],
    env: Readonly<Record<string, string>> = {},
  ): Promise<OpenRun> {
    const script = "env > env.new; mv env.new env; while [ ! -e end ]; do sleep 0.02; done; exit $(cat end)";
    const started = rig.start([...command, ...options, "--", "sh", "-c", script], { env });
    const text = await waitFor(() => readIfThere(join(rig.cwd, "env")), { what: "the command runs" });
    const pairs = text.split("\n").map((line) => line.split(/=(.*)/su).slice(0, 2));
    return new OpenRun(rig, started, Object.fromEntries(pairs));
  }

  private constructor(rig: TrackRig, started: Started, env: Readonly<Record<string, string>>) {
    this.#rig = rig;
    this.started = started;
    this.env = env;
  }

  get runId(): string {
    return this.env["TRACK_RUN_ID"] ?? "";
  }

  get appendFile(): string {
    return this.env["TRACK_LOG"] ?? "";
  }

  connect(): Promise<Speaker> {
    return Speaker.connect(this.env["TRACK_SOCKET"] ?? "");
  }

  /** The command exits with this code; resolves once `track` has ended. */
  async end(exitCode = 0): Promise<Finished> {
    writeFileSync(join(this.#rig.cwd, "end.new"), String(exitCode));
    renameSync(join(this.#rig.cwd, "end.new"), join(this.#rig.cwd, "end"));
    return await this.started.finished;
  }
}

type Reply = Readonly<Record<string, unknown>>;

/** One client of the logging socket. */
export class Speaker implements Disposable {
  readonly socket: Socket;
  readonly #replies: Reply[] = [];
  #wake: () => void = () => {};
  #half = "";
  #isOver = false;

  static async connect(path: string): Promise<Speaker> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Speaker(socket);
  }

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#isOver = true;
      this.#wake();
    });
    socket.on("data", (chunk) => {
      const lines = (this.#half + chunk.toString()).split("\n");
      this.#half = lines.pop() ?? "";
      this.#replies.push(...lines.map((line) => JSON.parse(line) as Reply));
      this.#wake();
    });
  }

  /** Objects become lines; bytes and texts go as they are. */
  say(what: object | string | Buffer): void {
    const isRaw = typeof what === "string" || Buffer.isBuffer(what);
    this.socket.write(isRaw ? what : `${JSON.stringify(what)}\n`);
  }

  /** The next reply that was not taken yet; rejects once the connection is closed. */
  async reply(): Promise<Reply> {
    for (;;) {
      const reply = this.#replies.shift();
      if (reply !== undefined) return reply;
      if (this.#isOver) throw new Error("the connection is closed");
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async ask(what: object): Promise<Reply> {
    this.say(what);
    return await this.reply();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
