import type { StreamedArtifacts } from "../artifacts/streamed-artifacts.ts";
import type { RegistryStore } from "../store/registry-store.ts";
import type { TrackingStore } from "../store/tracking-store.ts";

/** What one client's requests work on. */
export interface ServedStores {
  readonly tracking: TrackingStore;
  readonly registry: RegistryStore;
  /** The artifacts below a run's, logged model's or model version's artifact URI. */
  openArtifacts(artifactUri: string): Promise<StreamedArtifacts>;
  /** What `mlflow-artifacts:/` stands for; absent: proxied artifacts are answered as a server without them does. */
  readonly artifactProxy?: StreamedArtifacts;
}
