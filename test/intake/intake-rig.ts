import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { LogRecord } from "../../src/entities/log-record.ts";
import type {
  AppendFileHandler,
  BadLineKind,
  FlushLevel,
  IntakeHandler,
  RecordSource,
} from "../../src/intake/intake-handler.ts";
import { type LogSocketOptions, LogSocketServer } from "../../src/intake/log-socket.ts";

/** Keeps what it is handed, in order; each reaction can be replaced. */
export class Recorder implements IntakeHandler, AppendFileHandler {
  readonly records: LogRecord[] = [];
  readonly sources: RecordSource[] = [];
  readonly bad: [BadLineKind, string][] = [];
  /** Everything that happened, as words. */
  readonly journal: string[] = [];
  onRecord: (record: LogRecord) => undefined | Promise<void> = () => undefined;
  onFlush: (level: FlushLevel) => Promise<void> = () => Promise.resolve();
  onGet: (runId?: string) => unknown = (runId) => ({ info: { run_id: runId ?? "own" } });

  record(record: LogRecord, source: RecordSource): undefined | Promise<void> {
    const done = this.onRecord(record);
    this.records.push(record);
    this.sources.push(source);
    this.journal.push(record.type);
    return done;
  }
  flush(level: FlushLevel): Promise<void> {
    this.journal.push(`flush ${level}`);
    return this.onFlush(level);
  }
  getRun(runId?: string): unknown {
    return this.onGet(runId);
  }
  batchEnd(): void {
    this.journal.push("end");
  }
  fileOffset(offset: number): void {
    this.journal.push(`offset ${offset}`);
  }
  reportBad(kind: BadLineKind, message: string): void {
    this.bad.push([kind, message]);
  }

  get metrics(): (readonly [string, number])[] {
    return this.records.flatMap((record) => (record.type === "batch" ? [...(record.metrics ?? [])] : []));
  }
}

export class SocketRig implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "track-intake-"));
  readonly path = join(this.folder, "socket");
  readonly handler = new Recorder();
  readonly server: LogSocketServer;
  readonly listener: Server = createServer();

  private constructor(options: LogSocketOptions) {
    this.server = new LogSocketServer(this.handler, options);
  }

  static async start(options: LogSocketOptions = {}): Promise<SocketRig> {
    const rig = new SocketRig(options);
    rig.listener.listen(rig.path);
    await once(rig.listener, "listening");
    rig.server.serve(rig.listener);
    return rig;
  }

  async connect(): Promise<TestClient> {
    const socket = connect({ path: this.path, allowHalfOpen: true });
    await once(socket, "connect");
    return new TestClient(socket);
  }

  /** Runs a program against the socket; its stdout, once it has ended well. */
  async run(command: string, ...args: string[]): Promise<string> {
    return runProgram({ TRACK_SOCKET: this.path }, this.folder, command, ...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    await until(() => this.server.connectionCount === 0);
    rmSync(this.folder, { recursive: true });
  }
}

export class TestClient {
  readonly socket: Socket;
  #received = "";
  isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => (this.#received += chunk));
    socket.on("error", () => {});
    socket.on("close", () => (this.isClosed = true));
  }

  say(...lines: (string | object)[]): void {
    for (const line of lines) this.socket.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`);
  }

  get lines(): string[] {
    return this.#received.split("\n").slice(0, -1);
  }

  async replies(count: number): Promise<unknown[]> {
    await until(() => this.lines.length >= count);
    return this.lines.map((line) => JSON.parse(line) as unknown);
  }
}

export async function runProgram(
  env: Record<string, string>,
  cwd: string,
  command: string,
  ...args: string[]
): Promise<string> {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${String(code)}: ${stderr}`);
  return stdout;
}

export const program = (name: string): string => join(import.meta.dirname, "../../fixtures/programs", name);

/** Waits for a condition; fails after `limitMs`. */
export async function until(condition: () => boolean, limitMs = 10_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`condition not met in ${limitMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
