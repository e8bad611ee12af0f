import { RecorderProcess } from "../../client/recorder-process.ts";
import { describeDescriptors } from "../../util/describe-descriptors.ts";
import { armFaults } from "../../util/test-fault.ts";
import { within } from "../../util/within.ts";
import type { RecorderMessage } from "../../wire/control-messages.ts";
import type { Context } from "../context.ts";
import { announcement } from "./closing-line.ts";
import { commandEnvironment } from "./command-environment.ts";
import { decideDirect } from "./direct.ts";
import { faultLine, type Say, sayLate } from "./launch-notices.ts";
import { type LaunchRequest, runIdWait } from "./launch-request.ts";
import { openLoopback } from "./open-channels.ts";
import { prepare, type Prepared } from "./prepare-run.ts";
import { refusedStart } from "./refused-start.ts";
import { writeRunId } from "./run-id-file.ts";

/** A run that a shell is to enter. */
export interface ShellRun {
  readonly runId: string;
  /** The shell's environment as the run wants it. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Opens a run whose recorder stays when this process leaves, and waits for the shell that enters it. `undefined`: it cannot be
 * recorded, as was told. Rejects with exit code 125 where `--strict` wants more.
 */
export async function startShellRun(context: Context, request: LaunchRequest): Promise<ShellRun | undefined> {
  const { settings, preflight } = request;
  const say: Say = (text) => {
    if (!settings.quiet) context.io.say(text);
  };
  armFaults(request.notes.environment["TRACK_TEST_FAULT"]);
  const { isDirect } = decideDirect(settings, []);
  const loopback = await openLoopback(settings, isDirect, say);
  const prepared = prepare(context, { ...request, isDirect }, say, loopback);
  if (prepared.journal === undefined) return undefined;
  if (preflight.fault !== undefined) say(faultLine(preflight, preflight.fault));
  const events = new HandoverEvents();
  const waitMs = runIdWait(request, isDirect);
  const handover = await handOver(request, { ...prepared, isDirect, waitMs }, events);
  const { header, journal, logging } = prepared;
  const runId = handover.runId ?? header.runId;
  if (handover.runId !== undefined && settings.runIdFile !== undefined) writeRunId(settings.runIdFile, runId);
  say(`${announcement({ ...header, runId }, preflight, context.io.isErrTerminal)}, without the shell's own output`);
  for (const text of events.notices) say(text);
  if (!handover.isRecorded) say("the recorder failed three times; what is said goes to the journal alone");
  const isRunMissing = isDirect && waitMs !== undefined && handover.runId === undefined;
  const ways = handover.isRecorded ? { logging, loopback } : { logging: undefined, loopback: undefined };
  return {
    runId,
    environment: commandEnvironment(request, { ...header, runId }, { logPath: journal.logPath, isRunMissing, ...ways }),
  };
}

interface Handover {
  /** The id that a tracking server has given the run. */
  readonly runId: string | undefined;
  /** Otherwise there is a journal and nobody who writes it. */
  readonly isRecorded: boolean;
}

/** Starts the recorder, gives it everything and lets go of it. */
async function handOver(
  request: LaunchRequest,
  prepared: Prepared & { readonly isDirect: boolean; readonly waitMs: number | undefined },
  events: HandoverEvents,
): Promise<Handover> {
  const { settings } = request;
  const { waitMs } = prepared;
  // Nothing else keeps this process alive while it waits.
  const keepAlive = setInterval(() => {}, 2 ** 30);
  try {
    const recorder = createRecorder(request, prepared, events);
    recorder.start();
    const runId = waitMs === undefined ? undefined : await within(events.runId, waitMs);
    if (waitMs !== undefined && runId === undefined) {
      sayLate(settings, prepared.isDirect, (text) => events.notices.push(text));
    }
    recorder.tell({ type: "detach", runId: runId ?? prepared.header.runId });
    const isRecorded = await events.detached;
    recorder.release();
    if (!isRecorded) giveUp(request, prepared);
    return { runId, isRecorded };
  } finally {
    clearInterval(keepAlive);
  }
}

function createRecorder(request: LaunchRequest, prepared: Prepared, events: HandoverEvents): RecorderProcess {
  const { journal, logging, loopback } = prepared;
  const { notes, server } = request;
  const journalFolder = journal?.folder ?? "";
  return new RecorderProcess({
    hello: { type: "hello", kind: "shell", journalFolder, socketPath: logging?.path ?? "", verbose: false },
    ...(logging !== undefined && { server: logging.server }),
    ...(loopback !== undefined && { endpoint: { server: loopback.server, token: loopback.token } }),
    env: server?.recorderEnv ?? notes.environment,
    ...(notes.earlyRecorder !== undefined && { earlyKey: notes.earlyRecorder }),
    foreignDescriptors: describeDescriptors(notes.inheritedFds),
    onMessage: (message) => events.hear(message),
    onGivenUp: () => events.giveUp(),
  });
}

/** Nobody listens: a client had better fail at once. */
function giveUp({ settings }: LaunchRequest, { logging, loopback }: Prepared): void {
  logging?.close();
  loopback?.close();
  if (settings.strict) throw refusedStart("the recorder cannot be started");
}

class HandoverEvents {
  /** Told once the run is announced. */
  readonly notices: string[] = [];
  readonly #runId = Promise.withResolvers<string>();
  readonly #detached = Promise.withResolvers<boolean>();

  /** Pending for ever where no server gives one. */
  get runId(): Promise<string> {
    return this.#runId.promise;
  }

  /** False where no recorder can be had. */
  get detached(): Promise<boolean> {
    return this.#detached.promise;
  }

  hear(message: RecorderMessage): void {
    if (message.type === "notice") this.notices.push(message.text);
    if (message.type === "run-id") this.#runId.resolve(message.runId);
    if (message.type === "detached") this.#detached.resolve(true);
  }

  giveUp(): void {
    this.#detached.resolve(false);
  }
}
