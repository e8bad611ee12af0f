import { existsSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createJournalFolder, journalRoots } from "../client/journal-folder.ts";
import { bindLoggingServer, type LoggingServer } from "../client/logging-server.ts";
import { bindLoopbackServer, type LoopbackServer } from "../client/loopback-server.ts";
import { RecorderProcess } from "../client/recorder-process.ts";
import { TrackError } from "../errors.ts";
import { withTypedUri } from "../settings/server-access.ts";
import { parseTrackingUri } from "../store/tracking-uri.ts";
import { newRunId, randomHex } from "../util/ids.ts";
import { isProcessAlive, readPlace, readStartTicks } from "../util/proc.ts";
import { writePrivate } from "../util/write-private.ts";
import { withoutUserinfo } from "../util/uri-secrets.ts";
import type { OutcomeRecord } from "../wire/control-messages.ts";
import { journalFiles, type JournalHeader } from "../wire/journal-header.ts";
import { createMasker } from "../wire/redact.ts";
import { environment, read } from "./environment.ts";
import { report } from "./report.ts";

/** The recorder that a program has started for its runs, and where it is spoken to. */
export interface ProgramRecorder {
  readonly socketPath: string;
  readonly logPath: string;
  readonly endpoint: { readonly port: number; readonly token: string };
  /** At the end of the process: tells its outcome. Returns what waits until all is stored; false where `deadline` (`performance.now`) came first. */
  end(exitCode: number): (deadline: number) => boolean;
}

const consoleLimitBytes = 0;
const pollMs = 4;
const nodeVariables = ["NODE_OPTIONS", "NODE_UNIQUE_ID", "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE"];

/**
 * Starts one recorder for all runs of this program, with a journal, a logging socket and a loopback endpoint of its own, as
 * `track run` does. Rejects with `TrackError` where no journal or socket can be had.
 */
export async function startProgramRecorder(trackingUri: string, userName: string): Promise<ProgramRecorder> {
  const loopback = await bindLoopbackServer();
  const logging = bindSocket();
  try {
    const journalFolder = makeJournal(trackingUri, userName, logging.path);
    return run({ journalFolder, logging, loopback, trackingUri });
  } catch (error) {
    logging.close();
    loopback.close();
    throw error;
  }
}

interface Parts {
  readonly journalFolder: string;
  readonly logging: LoggingServer;
  readonly loopback: LoopbackServer;
  readonly trackingUri: string;
}

function run({ journalFolder, logging, loopback, trackingUri }: Parts): ProgramRecorder {
  const dieAtOnce = dieSlowly();
  const recorder = new RecorderProcess({
    hello: { type: "hello", kind: "program", journalFolder, socketPath: logging.path, verbose: false },
    server: logging.server,
    endpoint: loopback,
    env: recorderEnvironment(trackingUri),
    onMessage: (message) => {
      if (message.type === "notice") report(new TrackError(message.text));
    },
    onGivenUp: () => {
      logging.close();
      loopback.close();
      report(new TrackError("the recorder failed three times; what is logged stays in the journal: track sync"));
    },
  });
  logging.handTo((socket) => recorder.handConnection(socket));
  loopback.handTo((socket) => recorder.handConnection(socket, "endpoint"));
  recorder.start();
  return {
    socketPath: logging.path,
    logPath: join(journalFolder, journalFiles.appendFile),
    endpoint: loopback,
    end: (exitCode) => {
      const outcome: OutcomeRecord = {
        outcome: { kind: "exited", exitCode },
        endTime: Date.now(),
        timedOut: false,
        oomKilled: false,
      };
      recorder.release();
      dieAtOnce();
      try {
        writePrivate(journalFolder, journalFiles.outcome, JSON.stringify(outcome));
      } catch {
        // The journal is gone, or nothing can be written: the recorder still hears it by the channel.
      }
      recorder.tell({ type: "outcome", outcome });
      const { isGivenUp, pid } = recorder;
      return (deadline) => isGivenUp || pid === undefined || waitUntilDone(journalFolder, pid, deadline);
    },
  };
}

/**
 * How this process is killed or crashes can be seen between the end of its connections and the moment that its parent hears of it. That is
 * microseconds, unless the kernel has a watch to remove, for which it takes some milliseconds (an SRCU grace period). Returns what
 * takes the watch away again.
 */
function dieSlowly(): () => void {
  try {
    const watcher = watch("/proc/self", { persistent: false });
    watcher.on("error", () => {});
    return () => watcher.close();
  } catch {
    // No watch can be had (a limit of the user's): a death is then not always seen.
    return () => {};
  }
}

/** The process is at its end: nothing else can run any more, so that waiting blocks nobody. */
function waitUntilDone(journalFolder: string, pid: number, deadline: number): boolean {
  const identity = { pid, startTicks: readStartTicks(pid) ?? 0 };
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const isDone = (): boolean =>
    !existsSync(journalFolder) || existsSync(join(journalFolder, journalFiles.finished)) || !isProcessAlive(identity);
  while (!isDone()) {
    if (performance.now() >= deadline) return false;
    Atomics.wait(cell, 0, 0, pollMs);
  }
  return true;
}

function bindSocket(): LoggingServer {
  const bases = [read("XDG_RUNTIME_DIR"), read("TMPDIR"), "/tmp"].filter((base) => base !== undefined);
  const bound = bindLoggingServer(bases);
  if (bound.server !== undefined) return bound;
  throw new TrackError(`there is no place for the logging socket: ${bound.reasons[0] ?? "no folder"}`);
}

function makeJournal(trackingUri: string, userName: string, socketPath: string): string {
  const uri = parseTrackingUri(trackingUri);
  const stateHome = read("XDG_STATE_HOME");
  const home = read("HOME");
  const roots = journalRoots({
    ...(stateHome !== undefined && { stateHome }),
    ...(home !== undefined && { home }),
    ...(uri.kind === "sqlite" && { storeFolder: dirname(uri.path) }),
    temporary: read("TMPDIR") ?? tmpdir(),
  });
  const created = createJournalFolder(roots, programHeader(trackingUri, userName, socketPath));
  if (created.folder !== undefined) return created.folder;
  throw new TrackError(`no journal can be written: ${created.reasons[0] ?? "no folder"}`);
}

function programHeader(trackingUri: string, userId: string, socketPath: string): JournalHeader {
  const workspace = read("MLFLOW_WORKSPACE");
  return {
    version: 1,
    kind: "program",
    trackingUri: withoutUserinfo(trackingUri),
    ...(workspace !== undefined && /^https?:/iu.test(trackingUri) && { workspace }),
    runId: newRunId(),
    attempt: 1,
    isResumed: false,
    createId: randomHex(16),
    experiment: { experimentId: "0" },
    userId,
    startTime: Date.now(),
    tags: [],
    staleTags: [],
    params: [],
    // For whoever looks at what is alive here; secrets masked, as the header of `track run` has it.
    command: createMasker(environment, { enabled: true }).maskArgv([process.execPath, ...process.argv.slice(1)]),
    cwd: process.cwd(),
    place: readPlace(),
    wrapper: { pid: process.pid, startTicks: readStartTicks(process.pid) ?? 0 },
    socketPath,
    survive: false,
    redact: true,
    hasSecrets: false,
    sampling: { enabled: false, ...samplingSettings() },
    consoleLimitBytes,
  };
}

/** MLflow's variables. An interval that is none is left out: the usual one is better than no run. */
function samplingSettings(): Omit<JournalHeader["sampling"], "enabled"> {
  const intervalSeconds = Number(read("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"));
  const nodeId = read("MLFLOW_SYSTEM_METRICS_NODE_ID");
  return { ...(intervalSeconds > 0 && { intervalSeconds }), ...(nodeId !== undefined && { nodeId }) };
}

/** What changes how Node runs is meant for this program alone. */
function recorderEnvironment(trackingUri: string): Record<string, string> {
  const env = Object.entries(withTypedUri(environment, trackingUri)).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !nodeVariables.includes(entry[0]),
  );
  return Object.fromEntries(env);
}
