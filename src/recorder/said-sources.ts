import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { AppendFileReader } from "../intake/append-file.ts";
import { LogSocketServer } from "../intake/log-socket.ts";
import type { TensorboardReader } from "../intake/tensorboard/tensorboard-reader.ts";
import type { SamplingRequest } from "../wire/sampling-request.ts";
import { journalFiles } from "../wire/journal-header.ts";
import { ArtifactIntake } from "./artifact-intake.ts";
import type { Endpoint } from "./endpoint/endpoint.ts";
import type { Recording } from "./recording.ts";
import { RecordHandler, type ShellVoice } from "./record-handler.ts";

const socketIdleMs = 50;
const untouchedSocketIdleMs = 2;

export interface SaidSourcesOptions {
  readonly tensorboard: TensorboardReader | undefined;
  /** Of a run that belongs to a shell. */
  readonly shell: ShellVoice | undefined;
  readonly sample: ((request: SamplingRequest) => void) | undefined;
}

/** Where a run's processes say things: the socket, the append file, MLflow's API, event files. */
export class SaidSources {
  readonly #recording: Recording;
  readonly #options: SaidSourcesOptions;
  readonly #handler: RecordHandler;
  readonly #socket: LogSocketServer;
  #appendFile: AppendFileReader;
  #logOffset: number;
  #hasConnections = false;
  #endpoint: Endpoint | undefined;

  constructor(recording: Recording, options: SaidSourcesOptions) {
    this.#recording = recording;
    this.#options = options;
    this.#logOffset = recording.earlier.logOffset;
    this.#handler = this.#createHandler();
    this.#socket = new LogSocketServer(this.#handler);
    this.#appendFile = this.#createAppendFile();
  }

  start(server: Server | undefined): void {
    if (server !== undefined) this.#socket.serve(server);
    this.keepListening();
  }

  /** Goes on after `takeIn`, for processes that outlive the command. */
  keepListening(): void {
    this.#appendFile.start();
    this.#options.tensorboard?.start();
  }

  accept(socket: Socket): void {
    this.#hasConnections = true;
    this.#socket.accept(socket);
  }

  /** It is closed with the others. */
  useEndpoint(endpoint: Endpoint): void {
    this.#endpoint = endpoint;
  }

  /** A connection of an MLflow client. */
  acceptClient(socket: Socket): void {
    if (this.#endpoint === undefined) socket.destroy();
    else this.#endpoint.accept(socket);
  }

  /** Everything that was said until now is in the journal. Sources go on for what the command left running. */
  async takeIn(): Promise<void> {
    const idleMs = this.#hasConnections || this.#socket.connectionCount > 0 ? socketIdleMs : untouchedSocketIdleMs;
    await Promise.all([
      this.#socket.settle(idleMs),
      this.#appendFile.finish(),
      this.#options.tensorboard?.finish(),
      this.#endpoint?.settle(untouchedSocketIdleMs),
    ]);
    this.#handler.batchEnd();
    this.#appendFile = this.#createAppendFile();
  }

  /** What was asked for and never came. */
  tellEmptyFolders(): void {
    for (const folder of this.#options.tensorboard?.emptyFolders ?? []) {
      this.#recording.notice(`tensorboard ${folder}`, `no TensorBoard event file has come in ${folder}`);
    }
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#endpoint?.close();
  }

  #createHandler(): RecordHandler {
    const recording = this.#recording;
    const { folder, header } = recording;
    return new RecordHandler({
      live: recording.live,
      artifacts: new ArtifactIntake({ folder, runId: header.runId, cwd: header.cwd }),
      maskText: (text) => recording.masker.maskText(text),
      flush: (level) => recording.flush(level),
      getRun: (runId) => recording.view.toJson(runId),
      warn: (kind, text) => recording.notice(kind, text),
      onOffset: (offset) => (this.#logOffset = offset),
      shell: this.#options.shell,
      sample: this.#options.sample,
      passParams: (runId, params, write) => recording.passParams?.(runId, params, write),
      onBatch: () => this.#slowDown(),
    });
  }

  /** Back pressure while the journal makes progress. */
  #slowDown(): void {
    const congestion = this.#recording.congestion;
    if (congestion === undefined) return;
    this.#socket.pause();
    void congestion.finally(() => this.#socket.resume());
  }

  #createAppendFile(): AppendFileReader {
    const path = join(this.#recording.folder, journalFiles.appendFile);
    return new AppendFileReader({ path, handler: this.#handler, offset: this.#logOffset });
  }
}
