import { withField } from "../../client/socket-client.ts";
import { TrackError, UsageError } from "../../errors.ts";
import { parseMetricText } from "../../intake/metric-text.ts";
import type { LiveRunPlace } from "../find-live-run.ts";
import { type LogTarget, openRunTarget, parseObject } from "../log-target.ts";
import type { RunWriter } from "../run-writer-target.ts";

/** The word after `track log`. */
export type LogKind = "metric" | "param" | "tag" | "artifact" | "text" | "batch";

export interface LogOptions {
  /** Of metrics; default 0. */
  readonly step?: number;
  /** Of metrics, ms since the epoch; default now. */
  readonly timestamp?: number;
  /** Folder below the run's artifact root. */
  readonly artifactPath?: string;
  /** Write to this run's store; absent: the run that this program belongs to. */
  readonly run?: string;
}

/** What the command takes from outside. */
export interface LogContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly io: { say(message: string): void };
  /** ms since the epoch. */
  now(): number;
  /** Standard input, opened when it is asked for. */
  stdin(): AsyncIterable<Uint8Array>;
  /** The socket and append file of a run whose recorder lives on this host: what is said goes through it then. */
  findLiveRun(run: string): Promise<LiveRunPlace | undefined>;
  openRunWriter(run: string): Promise<RunWriter>;
}

const silenceMs = 15_000;
/** Room for the other fields in a line of 1 MiB, and for characters that JSON writes as six. */
const textInLineBytes = 128 * 1024;

/** `words` is what follows: key=value pairs, paths, or [artifact file, text]. Refused lines are told together, exit code 1. */
export async function log(
  context: LogContext,
  kind: LogKind,
  words: readonly string[],
  options: LogOptions,
): Promise<void> {
  checkOptions(kind, options);
  switch (kind) {
    case "metric":
      return sendAll(context, options, [metricLine(context, words, options)]);
    case "param":
    case "tag":
      return sendAll(context, options, [JSON.stringify({ [`${kind}s`]: Object.fromEntries(keyValues(kind, words)) })]);
    case "artifact":
      return sendAll(context, options, artifactLines(context, words, options), 0);
    case "text":
      return logText(context, words, options);
    case "batch":
      return logBatch(context, words, options);
  }
}

function checkOptions(kind: LogKind, { step, timestamp, artifactPath }: LogOptions): void {
  const misplaced =
    kind === "metric"
      ? []
      : Object.entries({ "--step": step, "--timestamp": timestamp }).filter(([, value]) => value !== undefined);
  if (misplaced[0] !== undefined)
    throw new UsageError(`${misplaced[0][0]} is for metrics`, { hint: "track log metric --help" });
  if (kind !== "artifact" && artifactPath !== undefined) {
    throw new UsageError("--artifact-path is for artifacts", { hint: "track log artifact --help" });
  }
  if (step !== undefined && !Number.isSafeInteger(step)) throw new UsageError(`--step is not a whole number: ${step}`);
  if (timestamp !== undefined && !(Number.isSafeInteger(timestamp) && timestamp >= 0)) {
    throw new UsageError(`--timestamp is not a whole number of milliseconds: ${timestamp}`, {
      hint: "date +%s%3N prints one",
    });
  }
}

/** Always with its time, so that saying it twice is saying it once. */
function metricLine(context: LogContext, words: readonly string[], { step, timestamp }: LogOptions): string {
  const metrics = keyValues("metric", words).map(([key, text]) => {
    const value = parseMetricText(text);
    if (value === undefined) {
      throw new UsageError(`not a number: ${key}=${text}`, {
        hint: `text is a param or a tag: track log param ${key}=...`,
      });
    }
    return [key, Number.isFinite(value) ? value : String(value)];
  });
  return JSON.stringify({
    metrics: Object.fromEntries(metrics),
    ...(step !== undefined && { step }),
    timestamp: timestamp ?? context.now(),
  });
}

function keyValues(kind: LogKind, words: readonly string[]): [string, string][] {
  const example = { metric: "loss=0.31", param: "lr=0.01", tag: "phase=warm-up" }[kind as "metric" | "param" | "tag"];
  const hint = `write track log ${kind} ${example}`;
  if (words.length === 0) throw new UsageError(`no ${kind} given`, { hint });
  const pairs = new Map<string, string>();
  for (const word of words) {
    const equals = word.indexOf("=");
    if (equals < 1) throw new UsageError(`not of the form key=value: ${word}`, { hint });
    const key = word.slice(0, equals);
    if (pairs.has(key)) throw new UsageError(`${kind} ${key} is given twice`, { hint });
    pairs.set(key, word.slice(equals + 1));
  }
  return [...pairs];
}

function artifactLines(context: LogContext, words: readonly string[], { artifactPath }: LogOptions): string[] {
  if (words.length === 0) throw new UsageError("no file given", { hint: "write track log artifact model.bin" });
  const folder = artifactPath?.replace(/\/+$/u, "");
  return words.map((path) =>
    JSON.stringify({
      artifact: path,
      cwd: context.cwd,
      ...(folder !== undefined && folder !== "" && { artifact_path: folder }),
    }),
  );
}

async function logText(context: LogContext, words: readonly string[], options: LogOptions): Promise<void> {
  const [artifactFile, text = "-"] = words;
  if (artifactFile === undefined || words.length > 2) {
    throw new UsageError("track log text takes a file name and a text", {
      hint: 'write track log text notes/a.txt "it works"',
    });
  }
  const content = text === "-" ? await readAll(context.stdin()) : Buffer.from(text);
  const { isUtf8 } = await import("node:buffer");
  if (content.length <= textInLineBytes && isUtf8(content)) {
    return sendAll(context, options, [JSON.stringify({ text: content.toString(), artifact_file: artifactFile })]);
  }
  const { withTextFile } = await import("../text-file.ts");
  await withTextFile(artifactFile, content, (path) => {
    const folder = artifactFile.includes("/") ? artifactFile.slice(0, artifactFile.lastIndexOf("/")) : undefined;
    return sendAll(
      context,
      options,
      artifactLines(context, [path], { ...(folder !== undefined && { artifactPath: folder }) }),
      0,
    );
  });
}

async function logBatch(context: LogContext, words: readonly string[], options: LogOptions): Promise<void> {
  const [file = "-"] = words;
  if (words.length > 1)
    throw new UsageError("track log batch takes one file", { hint: "track log batch points.ndjson" });
  await using target = await openTarget(context, options, 0);
  const { sendBatch } = await import("../log-batch.ts");
  const input = file === "-" ? context.stdin() : (await import("../log-batch.ts")).readFileChunks(context.cwd, file);
  const { lineCount, refused, first } = await sendBatch(target, input, (text) => completeLine(context, text));
  if (first === undefined) return;
  throw new TrackError(
    `${refused} of ${lineCount} lines were refused; the first, line ${first.line}: ${first.message}`,
  );
}

/** What the socket would fill in at another time and another place. */
function completeLine(context: LogContext, text: string): string {
  const line = parseObject(text);
  if (line === undefined) return text;
  if (line["artifact"] !== undefined && line["cwd"] === undefined) return withField(text, "cwd", context.cwd);
  if (line["metrics"] !== undefined && line["timestamp"] === undefined)
    return withField(text, "timestamp", context.now());
  return text;
}

async function sendAll(
  context: LogContext,
  options: LogOptions,
  lines: readonly string[],
  timeoutMs = silenceMs,
): Promise<void> {
  await using target = await openTarget(context, options, timeoutMs);
  const answers = [];
  for (const line of lines) answers.push(await target.send(line));
  await target.finish();
  const refused = answers.filter((answer) => !answer.ok);
  const [first] = refused;
  if (first === undefined) return;
  const message = refused.length === 1 ? first.message : `${first.message} (and ${refused.length - 1} more)`;
  throw new TrackError(message, { ...(first.hint !== undefined && { hint: first.hint }) });
}

async function openTarget(context: LogContext, options: LogOptions, timeoutMs: number): Promise<LogTarget> {
  const [socketPath, appendFile, ownRun] = ["TRACK_SOCKET", "TRACK_LOG", "TRACK_RUN_ID"].map(
    (name) => context.env[name] || undefined,
  );
  const isInside = socketPath !== undefined || appendFile !== undefined;
  if (isInside && (options.run === undefined || options.run === ownRun)) {
    return openRunTarget({ socketPath, appendFile, timeoutMs });
  }
  if (options.run === undefined) {
    throw new UsageError("this is no run of track's: TRACK_SOCKET is not set", {
      hint: "name a run with --run <run>, or start the script with track run -- <command>",
    });
  }
  const live = await context.findLiveRun(options.run);
  if (live !== undefined) return openRunTarget({ ...live, timeoutMs });
  const { RunWriterTarget } = await import("../run-writer-target.ts");
  return new RunWriterTarget(await context.openRunWriter(options.run), {
    cwd: context.cwd,
    now: () => context.now(),
    warn: (message) => context.io.say(message),
  });
}

async function readAll(input: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of input) chunks.push(chunk);
  return Buffer.concat(chunks);
}
