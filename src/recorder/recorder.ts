import { appendFileSync, rmSync } from "node:fs";
import { Server, Socket } from "node:net";
import { dirname, join } from "node:path";
import { sleep } from "../util/sleep.ts";
import { failOnPurpose } from "../util/test-fault.ts";
import type { RecorderMessage, WrapperMessage } from "../wire/control-messages.ts";
import type { AttemptEnd } from "../wire/final-status.ts";
import { journalFiles, type ProcessIdentity } from "../wire/journal-header.ts";
import { readJson } from "./dead-journals.ts";
import { Endpoint } from "./endpoint/endpoint.ts";
import { untilGone, untilRunGone } from "./orphaned-command.ts";
import { ProgramDeath } from "./program-death.ts";
import { repairBeside, repairBudgetMs } from "./repair-beside.ts";
import { RunEnding } from "./run-ending.ts";
import { readHeader } from "./recording-files.ts";
import { RunSession } from "./run-session.ts";
import { ShellLife } from "./shell-life.ts";

export interface RecorderOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  tell(message: RecorderMessage): void;
  leave(exitCode: number): never;
}

type Hello = WrapperMessage & { readonly type: "hello" };

const aliveMs = 2000;
const repairAfterMs = 1000;
const claimTries = 40;
const claimRetryMs = 50;

/** One recorder's life: hello, the run, its outcome or the wrapper's death, what was left running, the end. */
export class Recorder {
  readonly #options: RecorderOptions;
  #session: Promise<RunSession> | undefined;
  #opened: RunSession | undefined;
  #hello: Hello | undefined;
  #command: ProcessIdentity | undefined;
  #isEnding = false;
  #death: ProgramDeath | undefined;
  #repaired: Promise<void> | undefined;
  #isWrapperGone = false;
  /** Of a run that belongs to a shell. */
  #shell: ShellLife | undefined;
  #isDetached = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  hear(message: WrapperMessage, handle: Server | Socket | undefined): void {
    switch (message.type) {
      case "environment":
        return;
      case "hello":
        this.#session ??= this.#open(message, handle instanceof Server ? handle : undefined);
        return;
      case "endpoint":
        this.#serveEndpoint(handle, message.token);
        return;
      case "connection":
        if (handle instanceof Socket) void this.#session?.then((session) => this.#accept(session, handle, message.to));
        return;
      case "started":
        failOnPurpose("control:recorder");
        this.#command = message.command;
        void this.#session?.then((session) => session.commandStarted(message.command, message.console, message.runId));
        return;
      case "detach":
        void this.#session?.then((session) => this.#detach(session, message.runId));
        return;
      case "outcome":
        this.#endOnce(() => this.#end(message.outcome));
    }
  }

  /** The control channel ended. Without an outcome the wrapper was killed: the command meets the same fate. */
  wrapperGone(): void {
    this.#isWrapperGone = true;
    // What has started us for a shell was meant to leave.
    if (this.#isDetached) return;
    if (this.#session === undefined) this.#options.leave(0);
    this.#endOnce(() => this.#endWithoutWrapper());
  }

  /** A fault of ours: what lies in memory goes to the journal, and a successor goes on from there. */
  crash(error: unknown): void {
    try {
      this.#opened?.recording.writeOutNow();
      const folder = this.#hello?.journalFolder;
      if (folder !== undefined) {
        const fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
        const text = this.#opened?.recording.masker.maskText(fault) ?? fault;
        appendFileSync(join(folder, "faults.txt"), `${new Date().toISOString()} ${text}\n`, { mode: 0o600 });
      }
    } finally {
      this.#options.leave(1);
    }
  }

  async #open(hello: Hello, server: Server | undefined): Promise<RunSession> {
    this.#hello = hello;
    if (hello.kind === "shell") this.#shell = this.#createShellLife(hello.journalFolder);
    const { tell, env } = this.#options;
    for (let tries = 0; tries < claimTries; tries += 1) {
      const session = await RunSession.open({
        folder: hello.journalFolder,
        env,
        onNotice: (text) => {
          tell({ type: "notice", text });
          if (this.#isDetached) this.#shell?.note(text);
        },
        shell: this.#shell,
        onRunId: (runId) => tell({ type: "run-id", runId }),
        now: Date.now,
      });
      if (session !== undefined) {
        this.#opened = session;
        if (hello.kind === "program") this.#death = new ProgramDeath(session.recording.header.wrapper);
        session.start(server);
        setInterval(() => tell({ type: "alive" }), aliveMs);
        setTimeout(() => void this.#repairOthers(), repairAfterMs).unref();
        tell({ type: "ready" });
        return session;
      }
      // A predecessor that was just killed may hold the journal for a moment still.
      await sleep(claimRetryMs);
    }
    return this.#options.leave(1);
  }

  #createShellLife(folder: string): ShellLife {
    return new ShellLife({
      folder,
      onShell: (shell) => {
        const session = this.#opened;
        session?.commandStarted(shell, { kind: "none" }, session.recording.ids.childRunId);
      },
      onEnd: (end) => this.#endOnce(() => this.#end(end)),
      now: Date.now,
    });
  }

  /** From here on the shell decides how long this process lives. */
  #detach(session: RunSession, runId: string): void {
    session.recording.ids.childRunId = runId;
    this.#isDetached = true;
    this.#shell?.begin(runId);
    this.#options.tell({ type: "detached" });
  }

  /** Connections come as soon as the server is here, the session may take a moment longer. */
  #serveEndpoint(server: Server | Socket | undefined, token: string): void {
    if (!(server instanceof Server)) return;
    server.on("error", () => {});
    server.on("connection", (socket) => void this.#session?.then((session) => session.sources.acceptClient(socket)));
    void this.#session?.then((session) => {
      const { recording } = session;
      session.sources.useEndpoint(new Endpoint({ recording, folder: recording.folder, token, server }));
    });
  }

  #accept(session: RunSession, socket: Socket, to: "socket" | "endpoint"): void {
    if (to === "endpoint") session.sources.acceptClient(socket);
    else session.sources.accept(socket);
    this.#options.tell({ type: "accepted" });
  }

  #endOnce(end: () => Promise<void>): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    end().catch((error: unknown) => this.crash(error));
  }

  async #endWithoutWrapper(): Promise<void> {
    // Not for the session: another command may have taken up the run of a wrapper that is dead.
    await this.#untilCommandGone();
    const session = await this.#sessionOrLeave();
    const { survive } = session.recording.header;
    const outcome = (this.#readFile(journalFiles.outcome) as AttemptEnd | undefined) ?? (await this.#seenEnd());
    await this.#end(outcome ?? (survive ? { missing: "lost", isScriptStatusKept: true } : { missing: "killed" }));
  }

  async #untilCommandGone(): Promise<void> {
    const { kind, journalFolder } = this.#hello ?? {};
    const header = kind === "command" && journalFolder !== undefined ? readHeader(journalFolder) : undefined;
    if (header === undefined) return;
    const command = this.#command ?? (this.#readFile(journalFiles.command) as ProcessIdentity | undefined);
    await (command === undefined ? untilRunGone(header, header.survive) : untilGone(command, header.survive));
  }

  /** Of a program that had no time to say how it ends. */
  async #seenEnd(): Promise<AttemptEnd | undefined> {
    const outcome = await this.#death?.outcome();
    return outcome && { outcome, endTime: Date.now(), timedOut: false, oomKilled: false };
  }

  async #end(end: AttemptEnd): Promise<void> {
    this.#death?.stop();
    const session = await this.#sessionOrLeave();
    await this.#endingOf(session).run(end);
    // A store that does not take this run does not take others' either: they are not waited for.
    const isStoreThere = session.recording.pendingEntries === 0;
    await session.close();
    this.#removeSocket();
    if (isStoreThere) await Promise.race([this.#repairOthers(), sleep(repairBudgetMs)]);
    this.#options.leave(0);
  }

  #endingOf(session: RunSession): RunEnding {
    const { tell } = this.#options;
    return new RunEnding({ session, shell: this.#shell, tell, isWrapperGone: () => this.#isWrapperGone });
  }

  /** Runs beside ours whose processes are dead are finished on the way; the command waits for none of it. */
  #repairOthers(): Promise<void> {
    const header = this.#opened?.recording.header;
    this.#repaired ??= repairBeside(this.#hello?.journalFolder ?? "", header, this.#options.env);
    return this.#repaired;
  }

  async #sessionOrLeave(): Promise<RunSession> {
    return (await this.#session) ?? this.#options.leave(0);
  }

  #removeSocket(): void {
    const path = this.#hello?.socketPath ?? "";
    if (path !== "") rmSync(dirname(path), { recursive: true, force: true });
  }

  #readFile(name: string): unknown {
    return readJson(join(this.#hello?.journalFolder ?? "", name));
  }
}
