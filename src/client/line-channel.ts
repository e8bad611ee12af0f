import { appendFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { TrackError } from "../errors.ts";
import { hasCode, messageOf } from "../util/error-code.ts";
import type { SocketReply } from "./socket-client.ts";

export interface LineChannelOptions {
  /** The logging socket of a recorder. */
  readonly socketPath: string;
  /** The append file beside the journal, for what the socket does not take any more. */
  readonly logPath?: string;
  /** The socket is given up; called once. */
  onLost(error: TrackError): void;
}

interface Sent {
  readonly bytes: Buffer;
  /** The request behind it, whose reply says that all of it was taken. */
  readonly requestId: number | undefined;
}

interface Waiting {
  readonly resolve: (reply: SocketReply) => void;
  readonly reject: (error: Error) => void;
}

const writeAtBytes = 64 * 1024;
/** UTF-8 of a UTF-16 unit. */
const mostBytes = 3;
/** Text that the recorder has not answered for is kept, for a recorder that dies; it is asked that often. */
const askEveryBytes = 4 * 1024 * 1024;
/** Above it callers that can wait should. */
const congestedAtBytes = 1024 * 1024;
const retryMs = 100;
const triesAllowed = 100;

const nothing = Promise.resolve();

/**
 * The lines of a program on their way to its recorder: one write for all lines of a turn of the event loop, in order, without
 * waiting. A recorder that dies is met again on the same socket and told what it had not answered for: every line says its
 * time, so that nothing is there twice. Does not keep the program alive but for what somebody waits for.
 */
export class LineChannel {
  readonly #options: LineChannelOptions;
  #socket: Socket;
  #buffer = Buffer.allocUnsafeSlow(writeAtBytes);
  #length = 0;
  #isTurnAsked = false;
  #sent: Sent[] = [];
  #bytesSinceAsked = 0;
  readonly #kept = new Map<string, object>();
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #partial = "";
  #tries = 0;
  #drained: PromiseWithResolvers<void> | undefined;
  #isLost = false;
  #isClosed = false;

  constructor(options: LineChannelOptions) {
    this.#options = options;
    this.#socket = this.#connect();
  }

  /** Takes one line with its newline. Copied at once: a million short texts that wait would be a million objects to collect. */
  write(line: string): void {
    if (line.length * mostBytes > writeAtBytes - this.#length) this.#send();
    if (line.length * mostBytes > writeAtBytes) return this.#sendBytes(Buffer.from(line));
    this.#length += this.#buffer.write(line, this.#length);
    if (!this.#isTurnAsked) {
      this.#isTurnAsked = true;
      setImmediate(this.#onTurn);
    }
  }

  /** A line that each later recorder is told as well, until it is taken back (`undefined`); this one is told by the caller. */
  keep(key: string, line: object | undefined): void {
    if (line === undefined) this.#kept.delete(key);
    else this.#kept.set(key, line);
  }

  /** Resolves at once while the recorder keeps up, else when the kernel has taken what was written. Never rejects. */
  get room(): Promise<void> {
    if (this.#isLost || this.#socket.writableLength < congestedAtBytes) return nothing;
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  /** Sends one object behind all that was written, and resolves to its reply. Rejects where the recorder is given up. */
  request(line: object): Promise<SocketReply> {
    if (this.#isLost) return Promise.reject(this.#lostError("it was given up"));
    const { promise, resolve, reject } = Promise.withResolvers<SocketReply>();
    this.#ask(JSON.stringify(line), { resolve, reject });
    return promise;
  }

  /** For the end of the process: what nobody has answered for goes to the append file before this returns. */
  writeOutNow(): void {
    this.#isClosed = true;
    const rest = this.#take();
    for (const { bytes } of this.#sent.splice(0)) this.#append(bytes);
    this.#append(rest);
  }

  /** Ends the connection, behind all that was written. */
  close(): void {
    this.#send();
    this.#isClosed = true;
    this.#socket.end();
  }

  readonly #onTurn = (): void => {
    this.#isTurnAsked = false;
    this.#send();
  };

  #send(): void {
    if (this.#length > 0) this.#sendBytes(this.#take());
  }

  #sendBytes(bytes: Buffer): void {
    if (this.#isLost) return this.#append(bytes);
    this.#bytesSinceAsked += bytes.length;
    this.#sent.push({ bytes, requestId: undefined });
    this.#socket.write(bytes);
    if (this.#bytesSinceAsked >= askEveryBytes) this.#ask(`{"flush":true}`);
  }

  /** What is collected; the buffer goes along where most of it is used. */
  #take(): Buffer {
    const used = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    if (used.length < writeAtBytes / 2) return Buffer.from(used);
    this.#buffer = Buffer.allocUnsafeSlow(writeAtBytes);
    return used;
  }

  /** What was written before is answered for by the reply. */
  #ask(json: string, waiting: Waiting = { resolve: () => {}, reject: () => {} }): void {
    this.#send();
    this.#lastId += 1;
    const id = this.#lastId;
    this.#waiting.set(id, waiting);
    this.#socket.ref();
    const bytes = Buffer.from(`${json.slice(0, -1)},"id":${id}}\n`);
    this.#bytesSinceAsked = 0;
    this.#sent.push({ bytes, requestId: id });
    this.#socket.write(bytes);
  }

  #connect(): Socket {
    const socket = connect(this.#options.socketPath);
    socket.setEncoding("utf8");
    let reason: unknown = new Error("it was closed");
    socket.on("error", (error) => (reason = error));
    socket.on("data", (text: string) => this.#receive(text));
    socket.on("drain", () => this.#drain());
    socket.on("close", () => this.#closed(reason));
    socket.unref();
    return socket;
  }

  #receive(text: string): void {
    this.#tries = 0;
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() ?? "";
    for (const line of lines) this.#hear(JSON.parse(line) as SocketReply);
  }

  #hear(reply: SocketReply): void {
    const { id } = reply;
    if (id === null) return;
    const index = this.#sent.findIndex(({ requestId }) => requestId === id);
    if (index !== -1) this.#sent.splice(0, index + 1);
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#socket.unref();
    waiting?.resolve(reply);
  }

  #drain(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  /** The recorder has died, or was never there: its successor listens on the same path. */
  #closed(reason: unknown): void {
    if (this.#isClosed || this.#isLost) return;
    this.#tries += 1;
    // Whoever starts recorders again keeps listening meanwhile, and stops once there will be none.
    const isOver = hasCode(reason, "ENOENT", "ECONNREFUSED") || this.#tries > triesAllowed;
    if (isOver) return this.#giveUp(messageOf(reason));
    const timer = setTimeout(() => {
      if (this.#isClosed) return;
      this.#partial = "";
      this.#socket = this.#connect();
      for (const line of this.#kept.values()) this.#socket.write(`${JSON.stringify(line)}\n`);
      for (const { bytes } of this.#sent) this.#socket.write(bytes);
      if (this.#waiting.size > 0) this.#socket.ref();
      else this.#drain();
    }, retryMs);
    if (this.#waiting.size === 0 && this.#drained === undefined) timer.unref();
  }

  /** What is said from now on goes to the append file, which the next command takes in. */
  #giveUp(reason: string): void {
    this.#isLost = true;
    const error = this.#lostError(reason);
    for (const { bytes } of this.#sent.splice(0)) this.#append(bytes);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    this.#drain();
    this.#options.onLost(error);
  }

  #append(bytes: Buffer): void {
    const { logPath } = this.#options;
    if (logPath === undefined || bytes.length === 0) return;
    try {
      appendFileSync(logPath, bytes);
    } catch {
      // A full disk, or a journal that is done and gone: there is no further place, and the program must go on.
    }
  }

  #lostError(reason: string): TrackError {
    return new TrackError(`what is logged does not reach its recorder: ${reason}`, {
      hint: "it lies in the journal: track sync",
    });
  }
}
