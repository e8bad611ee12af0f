import { createServer, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createRestHandler, limitServer, type ServedStores } from "../../server/rest-server.ts";

import { monotonicMs } from "../../util/monotonic.ts";
import type { EndpointOptions } from "./endpoint.ts";
import { EndpointState } from "./endpoint-state.ts";
import { openArtifacts } from "./open-artifacts.ts";
import { JournaledRegistry } from "./journaled-registry.ts";
import { JournaledStore } from "./journaled-store.ts";
import { PassThrough } from "./pass-through.ts";
import { ServerBehind } from "./server-behind.ts";
import { SpooledArtifacts } from "./spooled-artifacts.ts";

export interface ServedEndpoint {
  accept(socket: Socket): void;
  /** Resolves once no request is under way and none has come for `idleMs`, `waitMs` at most. */
  settle(idleMs: number, waitMs: number): Promise<void>;
  close(): void;
}

const pollMs = 5;

/** MLflow's REST API over the journal; a program of its own, since most commands never ask for it. */
export function serveEndpoint(options: EndpointOptions & { readonly port: number }): ServedEndpoint {
  const { recording, token } = options;
  const state = new EndpointState(options);
  const registry = new JournaledRegistry(state.access);
  const artifactProxy = new SpooledArtifacts(state);
  const behind = serverBehind(state, artifactProxy);
  const handler = createRestHandler({
    ...(behind !== undefined && { elsewhere: behind }),
    credentials: { user: "", token },
    storesFor: ({ port }): ServedStores => ({
      tracking: new JournaledStore(state, port),
      registry,
      openArtifacts: (artifactUri) => openArtifacts(artifactUri, artifactProxy),
      artifactProxy,
    }),
    onUnsupported: (path) => {
      recording.notice(
        "unsupported",
        `an MLflow client asked for ${path}, which is not served here: track run --direct`,
      );
    },
    onFault: (error) => recording.notice("endpoint fault", `an MLflow request failed: ${String(error)}`),
  });
  const active = new Set<ServerResponse>();
  let lastAt = monotonicMs();
  // A request without a Host header is refused in MLflow's form, as one with a wrong one.
  const server = createServer({ requireHostHeader: false }, (request, response) => {
    active.add(response);
    lastAt = monotonicMs();
    response.once("close", () => active.delete(response));
    handler(request, response);
  });
  limitServer(server);
  // It watches over its connections only once it listens, which the handed-over server does in its place.
  server.emit("listening");
  return {
    accept: (socket) => {
      lastAt = monotonicMs();
      server.emit("connection", socket);
    },
    settle: async (idleMs, waitMs) => {
      const deadline = monotonicMs() + waitMs;
      while ((active.size > 0 || monotonicMs() - lastAt < idleMs) && monotonicMs() < deadline) await sleep(pollMs);
    },
    close: () => {
      server.closeAllConnections();
      void behind?.close();
    },
  };
}

/** `undefined` for a store that is no tracking server: all is answered here. */
function serverBehind(state: EndpointState, artifacts: SpooledArtifacts): ServerBehind | undefined {
  const { access } = state.recording;
  return access && new ServerBehind(state, artifacts, new PassThrough({ access, ids: state.ids }));
}
