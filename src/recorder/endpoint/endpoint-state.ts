import { setTimeout as sleep } from "node:timers/promises";
import type { StoreOperation } from "../../entities/journal-entry.ts";
import { appendToLocation } from "../../store/sqlite/artifact-location.ts";
import { parseTrackingUri } from "../../store/tracking-uri.ts";
import { monotonicMs } from "../../util/monotonic.ts";
import type { Speaker } from "../live-run.ts";
import type { Recording } from "../recording.ts";
import { ChosenExperiments } from "./chosen-experiments.ts";
import { ClientIds } from "./client-ids.ts";
import { Experiments } from "./experiments.ts";
import { KnownModels } from "./known-models.ts";
import { KnownRun } from "./known-run.ts";
import { KnownRuns } from "./known-runs.ts";
import { OwnRun } from "./own-run.ts";
import { ParamGate } from "./param-gate.ts";
import { PeerProcesses } from "./peer-process.ts";
import { spooledUri } from "./spooled-artifacts.ts";
import { StoreAccess } from "./store-access.ts";

const placeWaitMs = 2000;
const pollMs = 20;

export interface EndpointStateOptions {
  readonly recording: Recording;
  /** The journal folder. */
  readonly folder: string;
  /** The port that the endpoint listens on. */
  readonly port: number;
}

/** What all clients of one endpoint see: the runs, models and experiments of the journal and of the store behind it. */
export class EndpointState {
  readonly recording: Recording;
  readonly folder: string;
  readonly access: StoreAccess;
  readonly own: OwnRun;
  readonly runs: KnownRuns;
  readonly models = new KnownModels();
  readonly experiments: Experiments;
  readonly chosen: ChosenExperiments;
  readonly peers: PeerProcesses;
  readonly ids: ClientIds;
  readonly params = new ParamGate(this);
  /** Runs that the command's processes have created, the wrapper's own among them. */
  readonly #family = new Set<string>();
  /** Places of artifacts as the store has them, by the journal's id. */
  readonly #places = new Map<string, string>();

  constructor({ recording, folder, port }: EndpointStateOptions) {
    this.recording = recording;
    this.folder = folder;
    this.ids = new ClientIds(recording);
    this.access = new StoreAccess(recording);
    this.experiments = new Experiments(recording, this.access);
    const canMove = parseTrackingUri(recording.header.trackingUri).kind === "sqlite";
    this.own = new OwnRun({ recording, access: this.access, experiments: this.experiments, canMove });
    this.#family.add(this.own.id);
    this.runs = new KnownRuns(this.own.id);
    this.chosen = new ChosenExperiments(this.own.experimentId);
    this.peers = new PeerProcesses(port);
    if (recording.openRuns.hasCreated || recording.isServer) {
      for (const { entry } of recording.entries()) this.#observe(entry.operation);
    }
    recording.onOperation = (operation) => this.#observe(operation);
    recording.passParams = (said, params, write) => this.params.pass(this.ids.toJournal(said), params, write);
    recording.isSameSpeaker = (one, other) => this.#isSame(one, other);
  }

  /** Of the wrapper's own run, and of every other that the command's processes have created; by the journal's id. */
  isFamily(runId: string): boolean {
    return this.#family.has(runId);
  }

  /** All of the family but the wrapper's own run; `undefined` where some are remembered no more, or other ranks have made some. */
  get familyRuns(): readonly KnownRun[] | undefined {
    if (this.recording.header.rank !== undefined) return undefined;
    const runs: KnownRun[] = [];
    for (const runId of this.#family) {
      const run = this.runs.get(runId);
      if (run !== undefined) runs.push(run);
      else if (runId !== this.own.id) return undefined;
    }
    return runs;
  }

  /** Whatever has this run for its parent was made by the command: the run itself was, and is no earlier attempt's. */
  hasAllChildrenOf(runId: string): boolean {
    const { kind, isResumed } = this.recording.header;
    return runId === this.own.id ? kind !== "program" && !isResumed : this.runs.get(runId)?.isOurs === true;
  }

  /** A run other than the wrapper's own, read from the store where the command has not made it, or long ago. */
  async find(runId: string): Promise<KnownRun> {
    const known = this.runs.get(runId);
    if (known === undefined) {
      const stored = await this.access.read((store) => store.getRun(this.recording.ids.toStore(runId)));
      return this.runs.get(runId) ?? this.runs.add(KnownRun.read({ ...stored, info: { ...stored.info, runId } }));
    }
    if (known.info.artifactUri === "") {
      const place = this.recording.isServer ? await this.placeOf(runId) : await this.#placeInStore(known.info);
      known.withArtifactUri(place);
    }
    return known;
  }

  /**
   * Where clients are told that the files of a family's run or model lie: our spool, or the store's own place where the server does
   * not take files itself and clients write them there.
   */
  async placeOf(id: string): Promise<string> {
    if (id === this.own.id) return (await this.own.info()).artifactUri;
    if (!(await this.own.hasOpenPlace())) return spooledUri(id);
    const deadline = monotonicMs() + placeWaitMs;
    while (!this.recording.ids.isOnServer(id) && !this.recording.isStoreAway && monotonicMs() < deadline)
      await sleep(pollMs);
    return (await this.storedPlace(id, id.startsWith("m-"))) ?? spooledUri(id);
  }

  /** `undefined` where the store has it not yet, or cannot be asked. */
  async storedPlace(id: string, isModel: boolean): Promise<string | undefined> {
    const known = this.#places.get(id);
    if (known !== undefined || !this.recording.ids.isOnServer(id)) return known;
    const storeId = this.recording.ids.toStore(id);
    const place = await this.access.readSoon(
      async (store) =>
        isModel
          ? (await store.getLoggedModel(storeId)).artifactLocation
          : (await store.getRun(storeId)).info.artifactUri,
      placeWaitMs,
    );
    if (place !== undefined) this.#places.set(id, place);
    return place;
  }

  async #placeInStore({ experimentId, runId }: KnownRun["info"]): Promise<string> {
    const { artifactLocation } = await this.experiments.active(experimentId);
    return appendToLocation(artifactLocation, runId, "artifacts");
  }

  #observe(operation: StoreOperation): void {
    if (operation.op === "create-run") this.#family.add(operation.runId);
    this.own.observe(operation);
    this.runs.observe(operation);
    this.models.observe(operation, Date.now());
    this.experiments.observe(operation);
  }

  #isSame(one: Speaker, other: Speaker): boolean {
    if (typeof one === "number" || typeof other === "number") return false;
    if (one.port === other.port) return true;
    const pid = this.peers.pidOf(one.port);
    return pid !== undefined && pid === this.peers.pidOf(other.port);
  }
}
