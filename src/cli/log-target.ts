import { LogSocketClient, SocketLostError, withField } from "../client/socket-client.ts";
import { TrackError } from "../errors.ts";
import { hasCode, messageOf } from "../util/error-code.ts";

const overHint = "if the run is over, `track log ... --run <run>` writes to the store";

/** What became of one line. */
export type LineAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly message: string; readonly hint?: string };

/** Where NDJSON lines of the logging socket's form go. */
export interface LogTarget extends AsyncDisposable {
  /** `text` is one JSON object, or what was meant to be one; resolves once it is taken or refused. */
  send(text: string): Promise<LineAnswer>;
  /** Writes what is still collected. */
  finish(): Promise<void>;
}

export interface RunTargetOptions {
  readonly socketPath: string | undefined;
  readonly appendFile: string | undefined;
  /** The run that is meant, where it is not the recorder's own. */
  readonly runId?: string;
  /** Silence on the socket for this long counts as a dead recorder; 0: never. */
  readonly timeoutMs: number;
}

/**
 * The run that this program belongs to: its socket, or its append file when the socket is dead, for all that a file can
 * carry. Lines that were sent but not answered then go to the file as well: they hold their time, so twice is once.
 */
export async function openRunTarget(options: RunTargetOptions): Promise<LogTarget> {
  const { socketPath, appendFile, timeoutMs, runId } = options;
  let client: LogSocketClient | undefined;
  let failure = "TRACK_SOCKET is not set";
  try {
    if (socketPath !== undefined) client = await LogSocketClient.connect(socketPath, { timeoutMs });
  } catch (error) {
    failure = reasonOf(error);
  }
  return {
    send: async (said) => {
      const text = runId === undefined ? said : withRunId(said, runId);
      try {
        if (client !== undefined) return toAnswer(await client.sendText(text));
      } catch (error) {
        failure = reasonOf(error);
        client = undefined;
      }
      return appendLine(text, appendFile, failure);
    },
    finish: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => {
      client?.close();
      return Promise.resolve();
    },
  };
}

/** Of a line that is about a run; `flush` is about all that was said. */
function withRunId(text: string, runId: string): string {
  const line = parseObject(text);
  return line === undefined || line["flush"] !== undefined ? text : withField(text, "run_id", runId);
}

function reasonOf(error: unknown): string {
  if (error instanceof SocketLostError) return error.message;
  throw error;
}

function toAnswer(reply: Awaited<ReturnType<LogSocketClient["send"]>>): LineAnswer {
  return reply.ok ? { ok: true } : { ok: false, message: reply.error.message };
}

/** Only onto a file that is there: without it the run is over, and nobody would ever read a new one. */
async function appendLine(text: string, appendFile: string | undefined, failure: string): Promise<LineAnswer> {
  if (!canWait(text)) return { ok: false, message: failure, hint: overHint };
  if (appendFile === undefined) throw new TrackError(failure, { hint: overHint });
  const fs = await import("node:fs");
  try {
    const fd = fs.openSync(appendFile, fs.constants.O_WRONLY | fs.constants.O_APPEND);
    try {
      fs.writeSync(fd, `${text}\n`);
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    if (!hasCode(error, "ENOENT", "ENOTDIR", "EACCES", "ENOSPC", "EDQUOT", "EIO", "EROFS")) throw error;
    throw new TrackError(`${failure}; ${messageOf(error)}`, { hint: overHint });
  }
  return { ok: true };
}

/** A file cannot answer, and what is copied later may not be what was meant. */
function canWait(text: string): boolean {
  const line = parseObject(text);
  return line === undefined || !["artifact", "flush", "get"].some((field) => Object.hasOwn(line, field));
}

/** The object that `text` is the JSON of; `undefined` when it is none. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
