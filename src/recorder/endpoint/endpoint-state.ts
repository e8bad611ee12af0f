import type { StoreOperation } from "../../entities/journal-entry.ts";
import { readEntries } from "../../journal/journal-reader.ts";
import { appendToLocation } from "../../store/sqlite/artifact-location.ts";
import { parseTrackingUri } from "../../store/tracking-uri.ts";
import type { Speaker } from "../live-run.ts";
import type { Recording } from "../recording.ts";
import { ChosenExperiments } from "./chosen-experiments.ts";
import { Experiments } from "./experiments.ts";
import { KnownModels } from "./known-models.ts";
import { KnownRun } from "./known-run.ts";
import { KnownRuns } from "./known-runs.ts";
import { OwnRun } from "./own-run.ts";
import { PeerProcesses } from "./peer-process.ts";
import { StoreAccess } from "./store-access.ts";

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

  constructor({ recording, folder, port }: EndpointStateOptions) {
    this.recording = recording;
    this.folder = folder;
    this.access = new StoreAccess(recording);
    const canMove = parseTrackingUri(recording.header.trackingUri).kind === "sqlite";
    this.own = new OwnRun({ recording, access: this.access, canMove });
    this.runs = new KnownRuns(this.own.id);
    this.experiments = new Experiments(recording, this.access);
    this.chosen = new ChosenExperiments(this.own.experimentId);
    this.peers = new PeerProcesses(port);
    if (recording.openRuns.hasCreated) for (const { entry } of readEntries(folder)) this.#observe(entry.operation);
    recording.onOperation = (operation) => this.#observe(operation);
    recording.isSameSpeaker = (one, other) => this.#isSame(one, other);
  }

  /** A run other than the wrapper's own, read from the store where the command has not made it. */
  async find(runId: string): Promise<KnownRun> {
    const known = this.runs.get(runId);
    if (known === undefined) {
      const stored = await this.access.read((store) => store.getRun(this.recording.toStoreId(runId)));
      return this.runs.get(runId) ?? this.runs.add(KnownRun.read(stored));
    }
    if (known.info.artifactUri === "") {
      const { artifactLocation } = await this.experiments.active(known.info.experimentId);
      known.withArtifactUri(appendToLocation(artifactLocation, runId, "artifacts"));
    }
    return known;
  }

  #observe(operation: StoreOperation): void {
    this.runs.observe(operation);
    this.models.observe(operation, Date.now());
  }

  #isSame(one: Speaker, other: Speaker): boolean {
    if (typeof one === "number" || typeof other === "number") return false;
    if (one.port === other.port) return true;
    const pid = this.peers.pidOf(one.port);
    return pid !== undefined && pid === this.peers.pidOf(other.port);
  }
}
