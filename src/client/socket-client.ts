import { connect, type Socket } from "node:net";
import { TrackError } from "../errors.ts";
import { messageOf } from "../util/error-code.ts";

/** A reply of the logging socket, as child-contract.md has it. */
export type SocketReply =
  | { readonly id: number | null; readonly ok: true; readonly run?: unknown }
  | {
      readonly id: number | null;
      readonly ok: false;
      readonly error: { readonly code: string; readonly message: string };
    };

/** Nobody serves the socket, or it went away before the reply: what was sent may or may not have been taken. */
export class SocketLostError extends TrackError {}

export interface ConnectOptions {
  /** For the connection, and then for the time without any reply while one is awaited; absent or 0: no limit. */
  readonly timeoutMs?: number;
}

interface Waiting {
  readonly resolve: (reply: SocketReply) => void;
  readonly reject: (error: Error) => void;
}

/** One connection to the logging socket of a run. Lines may be sent without waiting; replies come in their order. */
export class LogSocketClient implements Disposable {
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #partial = "";
  #lastId = 0;
  #lost: SocketLostError | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#receive(text));
    socket.on("error", (error) => this.#lose(messageOf(error)));
    socket.on("timeout", () => {
      if (this.#waiting.length > 0) this.#lose("no reply in time");
    });
    socket.on("close", () => this.#lose("it was closed"));
  }

  /** Rejects with `SocketLostError` when nobody listens there. */
  static connect(path: string, options: ConnectOptions = {}): Promise<LogSocketClient> {
    const { promise, resolve, reject } = Promise.withResolvers<LogSocketClient>();
    const socket = connect(path);
    const fail = (reason: string): void => {
      socket.destroy();
      reject(lost(path, reason));
    };
    const onError = (error: Error): void => fail(messageOf(error));
    const onTimeout = (): void => fail("no connection in time");
    socket.setTimeout(options.timeoutMs ?? 0);
    socket.once("error", onError);
    socket.once("timeout", onTimeout);
    socket.once("connect", () => {
      socket.off("error", onError);
      socket.off("timeout", onTimeout);
      resolve(new LogSocketClient(socket));
    });
    return promise;
  }

  /** Sends one object and waits for its reply, a refusal included; the id is ours. Rejects with `SocketLostError`. */
  send(line: object): Promise<SocketReply> {
    return this.sendText(JSON.stringify(line));
  }

  /**
   * The same for the JSON text of an object, whose numbers keep their digits; an id in it is overridden.
   * Text that is no object gets a refusal with the id `null`; blank text is our own mistake and throws.
   */
  sendText(text: string): Promise<SocketReply> {
    if (text.trim() === "") throw new Error("a blank line gets no reply");
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    this.#lastId += 1;
    const { promise, resolve, reject } = Promise.withResolvers<SocketReply>();
    this.#waiting.push({ resolve, reject });
    this.#socket.write(`${withField(text, "id", this.#lastId).replaceAll("\n", " ")}\n`);
    return promise;
  }

  /** Closes at once; replies still awaited are rejected. */
  close(): void {
    this.#socket.destroy();
    this.#lose("it was closed by us");
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Every line has an id, so every reply, with the id `null` too, is that of the oldest line. */
  #receive(text: string): void {
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() ?? "";
    for (const line of lines) this.#waiting.shift()?.resolve(JSON.parse(line) as SocketReply);
  }

  #lose(reason: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = lost("the logging socket", reason);
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(this.#lost);
  }
}

/**
 * JSON text of an object with one more field, its other text untouched: numbers keep their digits.
 * The last of two equal fields counts, so it overrides.
 */
export function withField(text: string, field: string, value: unknown): string {
  const end = text.lastIndexOf("}");
  if (end === -1) return text;
  const comma = /\{\s*$/u.test(text.slice(0, end)) ? "" : ",";
  return `${text.slice(0, end)}${comma}${JSON.stringify(field)}:${JSON.stringify(value)}${text.slice(end)}`;
}

function lost(what: string, reason: string): SocketLostError {
  return new SocketLostError(`cannot log to ${what}: ${reason}`);
}
