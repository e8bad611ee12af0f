import type { ArtifactRepository } from "../../artifacts/artifact-repository.ts";
import type { Experiment } from "../../entities/experiment.ts";
import type { Run } from "../../entities/run.ts";
import type { ServerAccess } from "../../entities/server-access.ts";
import { StoreError } from "../../errors.ts";
import { resolveServerAccess } from "../../settings/server-access.ts";
import { isServerUri } from "../../settings/tracking-uri.ts";
import { openTrackingStore } from "../../store/open-store.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import type { JournalHeader } from "../../wire/journal-header.ts";
import { messageOf } from "../../util/error-code.ts";

/** As a journal's header has it. */
export type StorePlace = Pick<JournalHeader, "trackingUri" | "workspace" | "isUntrusted">;

type Environment = Readonly<Record<string, string | undefined>>;

/** So long a server that may be gone for good is waited for. */
const timeoutMs = 5000;

/** The store that a journal was written for, which may be away or gone; then it has nothing. It is asked once whether it is there. */
export class SourceStore implements AsyncDisposable {
  readonly #place: StorePlace;
  readonly #env: Environment;
  #opening: Promise<TrackingStore | undefined> | undefined;
  #fault: string | undefined;

  constructor(place: StorePlace, env: Environment) {
    this.#place = place;
    this.#env = env;
  }

  /** Why it cannot be asked. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** `undefined` where it is not there. */
  open(): Promise<TrackingStore | undefined> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
      this.#fault = messageOf(error);
      return undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<TrackingStore> {
    const store = await openTrackingStore(this.#place.trackingUri, { mode: "read", ...this.#access() });
    await store.searchExperiments({ maxResults: 1 });
    return store;
  }

  findRun(runId: string): Promise<Run | undefined> {
    return this.#find((store) => store.getRun(runId));
  }

  findExperiment(experimentId: string): Promise<Experiment | undefined> {
    return this.#find((store) => store.getExperiment(experimentId));
  }

  async openArtifacts(artifactUri: string): Promise<ArtifactRepository> {
    const { openArtifactRepository } = await import("../../artifacts/open-artifact-repository.ts");
    return openArtifactRepository(artifactUri, this.#access());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#opening)?.[Symbol.asyncDispose]();
  }

  async #find<Found>(look: (store: TrackingStore) => Promise<Found>): Promise<Found | undefined> {
    const store = await this.open();
    if (store === undefined) return undefined;
    try {
      return await look(store);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.errorCode !== "RESOURCE_DOES_NOT_EXIST") this.#fault = messageOf(error);
      return undefined;
    }
  }

  #access(): { readonly access?: ServerAccess } {
    const { trackingUri, workspace, isUntrusted = false } = this.#place;
    if (!isServerUri(trackingUri)) return {};
    const { workspace: _other, ...access } = resolveServerAccess(trackingUri, this.#env, { isUntrusted });
    return {
      access: {
        ...access,
        ...(workspace !== undefined && { workspace }),
        timeoutMs: Math.min(access.timeoutMs, timeoutMs),
        retry: { ...access.retry, maxRetries: 0 },
      },
    };
  }
}
