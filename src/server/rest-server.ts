import type { IncomingMessage, ServerResponse } from "node:http";
import type { StreamedArtifacts } from "../artifacts/streamed-artifacts.ts";
import type { RegistryStore } from "../store/registry-store.ts";
import type { TrackingStore } from "../store/tracking-store.ts";

/** Who asks: the client's TCP port, by which the host can find the process. */
export interface RequestPeer {
  readonly port: number;
}

/** What one client's requests work on. */
export interface ServedStores {
  readonly tracking: TrackingStore;
  readonly registry: RegistryStore;
  /** The artifacts below a run's or logged model's artifact URI. */
  openArtifacts(artifactUri: string): Promise<StreamedArtifacts>;
  /** What `mlflow-artifacts:/` stands for; absent: proxied artifacts are answered as a server without them does. */
  readonly artifactProxy?: StreamedArtifacts;
}

export interface RestServerOptions {
  /** Asked for as Basic or Bearer; absent: nobody is asked. */
  readonly credentials?: { readonly user: string; readonly token: string };
  /** Called for every request that got past the guards. */
  storesFor(peer: RequestPeer): ServedStores;
  /** Largest JSON body; default 64 MiB. Artifacts have no limit. */
  readonly maxBodyBytes?: number;
  /** How long a client may pause while it sends or reads; default 60,000. */
  readonly idleTimeoutMs?: number;
  /** Told the path of a request that MLflow's server would serve and this one does not, such as traces. */
  onUnsupported?(path: string): void;
  /** Told what nobody expected, after the client was answered `INTERNAL_ERROR`. */
  onFault?(error: unknown): void;
}

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * MLflow's REST API over the stores: a listener for the `request` event of a `node:http` server that listens on 127.0.0.1.
 * It never throws; what goes wrong is answered in MLflow's form.
 */
export function createRestHandler(_options: RestServerOptions): RequestHandler {
  return (request, response) => {
    request.resume();
    response.statusCode = 404;
    response.end();
  };
}
