import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { LogSocketClient, SocketLostError } from "../client/socket-client.ts";
import { readJson } from "../recorder/dead-journals.ts";
import { repairJournal } from "../recorder/repair.ts";
import type { ShellRunSummary } from "../recorder/shell-life.ts";
import { hasCode } from "../util/error-code.ts";
import { within } from "../util/within.ts";
import { writePrivate } from "../util/write-private.ts";
import { sleep } from "../util/sleep.ts";
import { type EndRequest, endRequestJson, type LeftEnd, toAttemptEnd } from "../wire/end-request.ts";
import { journalFiles, type JournalHeader } from "../wire/journal-header.ts";
import type { Context } from "./context.ts";

/** A run that this process is within, by its environment. */
export interface EnclosingRun {
  readonly runId: string;
  readonly folder: string;
  /** Absent: the run is over, its journal is gone. */
  readonly header: JournalHeader | undefined;
}

/** `undefined` outside of any run. */
export function enclosingRun({ env }: Pick<Context, "env">): EnclosingRun | undefined {
  const runId = env["TRACK_RUN_ID"];
  if (runId === undefined || runId === "") return undefined;
  const folder = dirname(env["TRACK_LOG"] ?? "/");
  const header = env["TRACK_LOG"] === undefined ? undefined : readJson(join(folder, journalFiles.header));
  return { runId, folder, header: header as JournalHeader | undefined };
}

/** `late`: told, and not stored within the time; `gone`: it had ended before. */
export type ShellRunEnd =
  | { readonly kind: "ended"; readonly summary?: ShellRunSummary }
  | { readonly kind: "late" }
  | { readonly kind: "gone" };

const connectMs = 15_000;
const pollMs = 50;

/** Ends a shell's run through its recorder and waits until all is stored, `timeoutMs` at most; without one it does its work. */
export async function endShellRun(
  context: Context,
  run: EnclosingRun & { readonly header: JournalHeader },
  options: { readonly request: EndRequest; readonly timeoutMs: number },
): Promise<ShellRunEnd> {
  const asked = await askRecorder(run.header.socketPath, options);
  return asked ?? (await endWithoutSocket(context, run, options));
}

/** `undefined` where no recorder answers. */
async function askRecorder(
  socketPath: string | undefined,
  { request, timeoutMs }: { readonly request: EndRequest; readonly timeoutMs: number },
): Promise<ShellRunEnd | undefined> {
  if (socketPath === undefined) return undefined;
  try {
    using client = await LogSocketClient.connect(socketPath, { timeoutMs: timeoutMs + connectMs });
    const answered = client.send({ end: endRequestJson({ ...request, pid: process.pid }) });
    const reply = await within(answered, timeoutMs);
    if (reply === undefined) return { kind: "late" };
    const summary = "summary" in reply ? (reply.summary as ShellRunSummary | undefined) : undefined;
    return summary === undefined ? undefined : { kind: "ended", summary };
  } catch (error) {
    if (error instanceof SocketLostError) return undefined;
    throw error;
  }
}

/** The recorder has no socket and looks into its folder, or is dead: then its work is done here. */
async function endWithoutSocket(
  context: Context,
  { folder, header }: EnclosingRun & { readonly header: JournalHeader },
  { request, timeoutMs }: { readonly request: EndRequest; readonly timeoutMs: number },
): Promise<ShellRunEnd> {
  try {
    const left: LeftEnd = { ...toAttemptEnd(request, context.now()), askerPid: process.pid };
    writePrivate(folder, journalFiles.outcome, JSON.stringify(left));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return { kind: "gone" };
    throw error;
  }
  const deadline = context.now() + timeoutMs;
  const options = { env: context.env, onNotice: (text: string) => context.io.say(text), now: context.now };
  do {
    if (
      isFinished(folder) ||
      (await repairJournal({ folder, header }, options, Math.max(1, deadline - context.now())))
    ) {
      return { kind: "ended" };
    }
    await sleep(pollMs);
  } while (context.now() < deadline);
  return { kind: "late" };
}

function isFinished(folder: string): boolean {
  return !existsSync(join(folder, journalFiles.header)) || existsSync(join(folder, journalFiles.finished));
}
