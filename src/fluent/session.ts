import type { ArtifactRepository } from "../artifacts/artifact-repository.ts";
import type { LineChannel } from "../client/line-channel.ts";
import { plainAccess, type ServerAccess } from "../entities/server-access.ts";
import { type ErrorCode, StoreError, TrackError } from "../errors.ts";
import { resolveServerAccess } from "../settings/server-access.ts";
import { syncTimeoutOf, syncTimeoutVariable, usualSyncTimeoutMs } from "../settings/sync-timeout.ts";
import { isServerUri, resolveTrackingUri } from "../settings/tracking-uri.ts";
import { openTrackingStore } from "../store/open-store.ts";
import { parseTrackingUri } from "../store/tracking-uri.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import { checkText } from "./argument-checks.ts";
import { environment, read } from "./environment.ts";
import { report, reportAtEnd } from "./report.ts";
import { openingRuns } from "./run-stack.ts";
import { userName } from "./user-name.ts";

/** What a program says goes to one recorder: log calls by its socket, everything else by MLflow's API. */
export interface Session {
  readonly lines: LineChannel;
  readonly store: TrackingStore;
  /** The artifacts of a run, by its artifact URI; to be closed by whoever has asked. */
  openArtifacts(artifactUri: string): Promise<ArtifactRepository>;
  /** How far what was said by `lines` must have come before `store` knows of it. */
  readonly barrier: "journal" | "store";
}

/** How a session that this process or its main thread has opened is reached. */
interface SharedSession {
  readonly socketPath: string;
  readonly logPath: string;
  readonly url: string;
  readonly token: string;
}

/** A recorder that died is there again within a second; one that does not come back must not be waited for for minutes. */
const endpointRetries = 3;

const sessions = new Map<string, Promise<Session>>();
const lineChannels = new Set<LineChannel>();
const endings: ((exitCode: number) => (deadline: number) => boolean)[] = [];
let isWatchingExit = false;

/** What `setTrackingUri` has chosen, and where the program's own recorder was reached until then. */
let chosen: { readonly uri: string; readonly before: string | undefined } | undefined;

/** The tracking URI in force: that of `setTrackingUri`, else of MLFLOW_TRACKING_URI, else `mlflow.db` in the working folder. */
function trackingUri(): string {
  const given = chosen?.uri ?? read("MLFLOW_TRACKING_URI");
  if (given !== undefined && isServerUri(given)) return given;
  const known = absoluteUris.get(given);
  if (known !== undefined) return known;
  const absolute = resolveTrackingUri(given, {}, process.cwd());
  absoluteUris.set(given, absolute);
  return absolute;
}

/** A program that changes its working folder later does not change its store. */
const absoluteUris = new Map<string | undefined, string>();

/**
 * Chooses where runs are kept from here on: `sqlite:///relative.db`, `sqlite:////absolute.db`, `http://` or `https://`; runs that are
 * open stay where they are. Written to MLFLOW_TRACKING_URI for child processes, as MLflow's `set_tracking_uri` does (contract 1.3).
 * Throws `INVALID_PARAMETER_VALUE` for any other kind of URI.
 */
export function setTrackingUri(uri: string): void {
  checkText("uri", uri);
  parseTrackingUri(uri);
  chosen = { uri, before: chosen === undefined ? read("MLFLOW_TRACKING_URI") : chosen.before };
  chosen = { ...chosen, uri: trackingUri() };
  environment["MLFLOW_TRACKING_URI"] = chosen.uri;
}

/** The session of the tracking URI in force; opened by the first call. Rejects with `TrackError` where none can be had. */
export function openSession(uri = trackingUri()): Promise<Session> {
  const known = sessions.get(uri);
  if (known !== undefined) return known;
  const opened = open(uri);
  sessions.set(uri, opened);
  // The next call tries again.
  opened.catch(() => sessions.delete(uri));
  return opened;
}

/** The sessions that are there already. */
export const openedSessions = (): Promise<readonly Session[]> =>
  Promise.allSettled(sessions.values()).then((settled) =>
    settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])),
  );

async function open(uri: string): Promise<Session> {
  watchExit();
  const inherited = inheritedSocket(uri);
  if (inherited !== undefined) {
    const { before } = chosen ?? { before: uri };
    const env = { ...environment, MLFLOW_TRACKING_URI: before };
    const access = isServerUri(before ?? uri) ? { access: resolveServerAccess(before ?? uri, env) } : {};
    const store = await openTrackingStore(before ?? uri, { mode: "write", ...access });
    const barrier = isLoopback(before ?? uri) ? "journal" : "store";
    return await begin(inherited, { store, barrier, ...access });
  }
  const { getEnvironmentData } = await import("node:worker_threads");
  const shared = (getEnvironmentData(sharedKey(uri)) as SharedSession | undefined) ?? (await startRecorder(uri));
  const plain = plainAccess(shared.url);
  const retry = { ...plain.retry, maxRetries: endpointRetries };
  const access = { ...plain, retry, authorization: `Bearer ${shared.token}` };
  const store = await openTrackingStore(shared.url, { mode: "write", access });
  return await begin(shared, { store, barrier: "journal", access });
}

/** Inside `track run` and `track start`: the run's own recorder, unless the program has chosen another store. */
function inheritedSocket(uri: string): { readonly socketPath: string; readonly logPath?: string } | undefined {
  const socketPath = read("TRACK_SOCKET");
  if (socketPath === undefined || (chosen !== undefined && uri !== read("TRACK_TRACKING_URI"))) return undefined;
  const logPath = read("TRACK_LOG");
  return { socketPath, ...(logPath !== undefined && { logPath }) };
}

/** A worker thread that is started later speaks to the same recorder. */
const sharedKey = (uri: string): string => `track session ${process.pid} ${uri}`;

async function startRecorder(uri: string): Promise<SharedSession> {
  const { startProgramRecorder } = await import("./program-recorder.ts");
  const { socketPath, logPath, endpoint, end } = await startProgramRecorder(uri, userName());
  endings.push(end);
  const url = `http://127.0.0.1:${endpoint.port}`;
  const shared: SharedSession = { socketPath, logPath, url, token: endpoint.token };
  const { setEnvironmentData } = await import("node:worker_threads");
  setEnvironmentData(sharedKey(uri), { ...shared });
  return shared;
}

async function begin(
  where: { readonly socketPath: string; readonly logPath?: string },
  { access, ...reached }: Pick<Session, "store" | "barrier"> & { readonly access?: ServerAccess },
): Promise<Session> {
  const { LineChannel } = await import("../client/line-channel.ts");
  const lines = new LineChannel({ ...where, onLost: (error) => report(error) });
  lineChannels.add(lines);
  const openArtifacts = async (artifactUri: string): Promise<ArtifactRepository> => {
    const { openArtifactRepository } = await import("../artifacts/open-artifact-repository.ts");
    return openArtifactRepository(artifactUri, access === undefined ? {} : { access });
  };
  return { lines, ...reached, openArtifacts };
}

/** The recorder's own endpoint, which answers from its journal. */
const isLoopback = (uri: string): boolean => /^http:\/\/127\.0\.0\.1:\d+$/u.test(uri);

/** Asks the store behind all that was said before. */
export async function askStore<Answer>(
  ask: (store: TrackingStore) => Promise<Answer>,
  opened = openSession(),
): Promise<Answer> {
  const { lines, store, barrier } = await opened;
  await flushLines(lines, barrier);
  return await ask(store);
}

/** Nothing but the end itself is listened to: no signal is caught, and no exception. */
function watchExit(): void {
  if (isWatchingExit) return;
  isWatchingExit = true;
  process.on("exit", (exitCode) => {
    for (const lines of lineChannels) lines.writeOutNow();
    if (openingRuns() > 0) {
      const hint = "await startRun(...) or flush() before process.exit";
      reportAtEnd(
        new TrackError("a run was not open yet when the program ended: what was logged to it is lost", { hint }),
      );
    }
    const waits = endings.map((end) => end(exitCode));
    if (waits.length === 0) return;
    const timeoutMs = exitTimeoutMs();
    const deadline = performance.now() + timeoutMs;
    const late = waits.filter((wait) => !wait(deadline));
    if (late.length > 0 && timeoutMs > 0) {
      const text = "what was logged is not all stored yet; the recorder goes on";
      reportAtEnd(new TrackError(text, { hint: `${syncTimeoutVariable} says how long the end waits` }));
    }
  });
}

function exitTimeoutMs(): number {
  try {
    return syncTimeoutOf(environment) ?? usualSyncTimeoutMs;
  } catch (error) {
    reportAtEnd(error);
    return usualSyncTimeoutMs;
  }
}

/**
 * Waits until all that this program has said survives a crash of everything: on disk in its recorder's journal, or in the store
 * itself with `{ to: "store" }`. Also the way to let a recorder catch up that is behind (back pressure). Rejects with `TrackError`
 * where that cannot be had, as on a full disk.
 */
export async function flushSessions(to: "journal" | "store"): Promise<void> {
  for (const { lines } of await openedSessions()) await flushLines(lines, to);
}

export async function flushLines(lines: LineChannel, to: "journal" | "store" = "journal"): Promise<void> {
  const reply = await lines.request({ flush: to === "store" ? "store" : true });
  if (!reply.ok) throw new TrackError(`what was logged is not safe yet: ${reply.error.message}`);
}

/** The answer to one line of the socket; a refusal rejects with MLflow's error code. */
export async function say(lines: LineChannel, line: object): Promise<void> {
  const reply = await lines.request(line);
  if (!reply.ok) throw new StoreError(reply.error.code as ErrorCode, reply.error.message);
}
