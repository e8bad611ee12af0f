import { Socket } from "node:net";
import { StoreError } from "../errors.ts";
import { hasCode, messageOf } from "../util/error-code.ts";
import type { IntakeHandler, RecordSource } from "./intake-handler.ts";
import { lineFaultError } from "./line-fault.ts";
import { LineSplitter } from "./line-splitter.ts";
import { badRequest, type IntakeRequest, parseLine, type RequestId } from "./record-parser.ts";
import { ReplyQueue, type ReplySlot } from "./reply-queue.ts";

/** Replies held for a client that does not read them; above it the client is not read from either. */
const replyLimitBytes = 1024 * 1024;
/** Lines whose reply is not known yet. */
const waitingLimit = 1024;
/** How long a client that is being closed is still listened to. */
const lastWordsMs = 100;

export interface ConnectionOptions {
  readonly handler: IntakeHandler;
  readonly connectionId: number;
  /** A client that takes none of its replies for this long, while they are at the limit, is closed. */
  readonly stallMs: number;
  /** Bytes came, or lines were taken. */
  readonly onActivity: () => void;
  readonly onClose: (connection: LogConnection) => void;
}

/** One client of the logging socket: its lines in order, its replies in order, at its own pace. */
export class LogConnection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #source: RecordSource;
  readonly #splitter = new LineSplitter();
  readonly #replies = new ReplyQueue();
  /** Records that are still being taken in (artifact copies). */
  readonly #inFlight = new Set<Promise<void>>();
  /** A line that must wait for those in flight. */
  #held: IntakeRequest | undefined;
  #isServerPaused: boolean;
  #isAdvancing = false;
  #hasEnded = false;
  #isClosing = false;
  /** Nobody takes replies any more. */
  #isDeaf = false;

  constructor(socket: Socket, isPaused: boolean, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#isServerPaused = isPaused;
    this.#source = { kind: "socket", connectionId: options.connectionId };
    // A client may shut down its writing side and still wait for its replies.
    socket.allowHalfOpen = true;
    surviveFailedWrites(socket, () => (this.#isDeaf = true));
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("end", () => this.#end());
    socket.on("drain", () => this.#advance());
    socket.on("timeout", () => this.#giveUp());
    // A connection that breaks is a client that died: what it said before stays.
    socket.on("error", () => {});
    socket.on("close", () => this.#closed());
    if (isPaused) socket.pause();
    else socket.resume();
  }

  /** True while lines that were read are not taken in completely. */
  get isBusy(): boolean {
    return this.#inFlight.size > 0 || this.#held !== undefined || this.#isAdvancing;
  }

  setPaused(isPaused: boolean): void {
    this.#isServerPaused = isPaused;
    this.#advance();
  }

  /** Sends the replies that are ready and closes; what is not read by then is lost. */
  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.pause();
    this.#socket.destroySoon();
    setTimeout(() => this.#socket.destroy(), lastWordsMs).unref();
  }

  #receive(chunk: Buffer): void {
    this.#splitter.push(chunk);
    this.#options.onActivity();
    this.#advance();
  }

  /** Takes lines until there are none or something must be waited for; then replies, then decides whether to read on. */
  #advance(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    let hasTaken = false;
    while (!this.#isBlocked()) {
      const request = this.#nextRequest();
      if (request === undefined) break;
      hasTaken = true;
      this.#take(request);
    }
    if (hasTaken) this.#endBatch();
    this.#isAdvancing = false;
    this.#reply();
  }

  #isBlocked(): boolean {
    if (this.#held !== undefined && this.#inFlight.size > 0) return true;
    if (this.#replies.waitingCount >= waitingLimit || this.#inFlight.size >= waitingLimit) return true;
    return !this.#isDeaf && this.#replies.length + this.#socket.writableLength >= replyLimitBytes;
  }

  #nextRequest(): IntakeRequest | undefined {
    const held = this.#held;
    if (held !== undefined) {
      this.#held = undefined;
      return held;
    }
    for (;;) {
      const line = this.#splitter.next();
      if (line === undefined) return undefined;
      if (typeof line !== "string") return badRequest("null", lineFaultError(line));
      if (line !== "" && line !== "\r") return parseLine(line);
    }
  }

  #take(request: IntakeRequest): void {
    switch (request.kind) {
      case "record":
        this.#takeRecord(request);
        break;
      case "flush":
        this.#answerLater(request.id, this.#flush(request));
        break;
      case "get":
        this.#answerLater(request.id, this.#get(request));
        break;
      case "end":
        this.#answerLater(request.id, this.#endRun(request));
        break;
      case "sampling":
        this.#sample(request);
        break;
      case "bad":
        if (request.id === undefined || request.id === "null") {
          this.#options.handler.reportBad(request.reason, request.message);
        }
        if (request.id !== undefined) this.#replies.add(refusal(request.id, request.code, request.message));
        break;
    }
  }

  #takeRecord(request: IntakeRequest & { readonly kind: "record" }): void {
    const { record, id } = request;
    // Files are copied one after the other; measurements need not wait for them.
    if (record.type !== "batch" && this.#inFlight.size > 0) {
      this.#held = request;
      return;
    }
    try {
      const done = this.#options.handler.record(record, this.#source);
      if (done !== undefined) this.#track(done, id);
      else if (id !== undefined) this.#replies.add(`{"id":${id},"ok":true}\n`);
    } catch (error) {
      this.#refuse(id, error, (text) => this.#replies.add(text));
    }
  }

  #track(done: Promise<void>, id: RequestId | undefined): void {
    this.#inFlight.add(done);
    const settled = (): boolean => this.#inFlight.delete(done);
    done.then(settled, settled);
    this.#answerLater(id, done);
  }

  /** Keeps the place of the reply; without id, only a failure is told. */
  #answerLater(id: RequestId | undefined, result: Promise<string | void>): void {
    const slot: ReplySlot | undefined = id === undefined ? undefined : this.#replies.reserve();
    const fill = (text: string): void => {
      if (slot !== undefined) this.#replies.fill(slot, text);
    };
    result
      .then(
        (fields) => fill(`{"id":${id},"ok":true${fields ?? ""}}\n`),
        (error: unknown) => this.#refuse(id, error, fill),
      )
      .finally(() => {
        this.#options.onActivity();
        this.#advance();
      });
  }

  async #flush({ level }: IntakeRequest & { readonly kind: "flush" }): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
    await this.#options.handler.flush(level);
  }

  async #get({ runId }: IntakeRequest & { readonly kind: "get" }): Promise<string> {
    return `,"run":${JSON.stringify(await this.#options.handler.getRun(runId))}`;
  }

  async #endRun({ request }: IntakeRequest & { readonly kind: "end" }): Promise<string> {
    const { handler } = this.#options;
    if (handler.end === undefined) throw new StoreError("INVALID_STATE", "this run ends with its command");
    return `,"summary":${JSON.stringify(await handler.end(request))}`;
  }

  #sample({ request, id }: IntakeRequest & { readonly kind: "sampling" }): void {
    try {
      this.#options.handler.sample?.(request);
      if (id !== undefined) this.#replies.add(`{"id":${id},"ok":true}\n`);
    } catch (error) {
      this.#refuse(id, error, (text) => this.#replies.add(text));
    }
  }

  /** Whatever goes wrong with one line stays with that line: recording never hurts the program that speaks. */
  #refuse(id: RequestId | undefined, error: unknown, answer: (text: string) => void): void {
    const isRefusal = error instanceof StoreError;
    const message = messageOf(error);
    if (id === undefined || !isRefusal) this.#options.handler.reportBad(isRefusal ? "refused" : "fault", message);
    if (id !== undefined) answer(refusal(id, isRefusal ? error.errorCode : "INTERNAL_ERROR", message));
  }

  #endBatch(): void {
    try {
      this.#options.handler.batchEnd?.();
    } catch (error) {
      this.#options.handler.reportBad("fault", messageOf(error));
    }
  }

  #reply(): void {
    const text = this.#replies.take();
    if (text !== "" && !this.#isDeaf && this.#socket.writable) this.#socket.write(text);
    const isBlocked = this.#isBlocked();
    // Only a client that leaves its replies lying is stalled; one that waits for our own work is not.
    this.#socket.setTimeout(isBlocked && this.#socket.writableLength > 0 && !this.#isDeaf ? this.#options.stallMs : 0);
    if (isBlocked || this.#isServerPaused || this.#isClosing) this.#socket.pause();
    else this.#socket.resume();
    if (this.#hasEnded && !isBlocked && this.#replies.waitingCount === 0 && !this.isBusy) this.#socket.end();
  }

  #end(): void {
    this.#hasEnded = true;
    this.#takeLastLine();
    this.#options.onActivity();
    this.#advance();
  }

  /** No beginning of a JSON object is one itself, so a last line that parses was meant to be whole. */
  #takeLastLine(): void {
    if (!this.#splitter.isWithinLine) return;
    const line = this.#splitter.finish();
    const request = typeof line === "string" ? parseLine(line) : undefined;
    if (request === undefined || (request.kind === "bad" && request.reason === "no-object")) {
      this.#options.handler.reportBad("half-line", "a client ended half-way through a line, which is lost");
    } else {
      this.#take(request);
    }
  }

  /** The client has read nothing for too long: its replies are dropped, its last words taken in, then it is closed. */
  #giveUp(): void {
    this.#isDeaf = true;
    this.#advance();
    setTimeout(() => this.#socket.destroy(), lastWordsMs).unref();
  }

  #closed(): void {
    this.#isDeaf = true;
    this.#advance();
    this.#options.onClose(this);
  }
}

/**
 * A failed write would make Node throw the whole socket away, and with it all that the client said before it hung up.
 * So the failure is taken note of, and reading goes on until the kernel has no more.
 */
function surviveFailedWrites(socket: Socket, onFailure: () => void): void {
  const forgive = (callback: (error?: Error | null) => void) => (error?: Error | null) => {
    if (!hasCode(error, "EPIPE", "ECONNRESET")) return callback(error);
    onFailure();
    callback();
  };
  const { _write: write, _writev: writev } = Socket.prototype;
  socket._write = (chunk, encoding, callback) => write.call(socket, chunk, encoding, forgive(callback));
  if (writev !== undefined) socket._writev = (chunks, callback) => writev.call(socket, chunks, forgive(callback));
}

function refusal(id: RequestId, code: string, message: string): string {
  return `{"id":${id},"ok":false,"error":${JSON.stringify({ code, message })}}\n`;
}
