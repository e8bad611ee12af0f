import type { ArtifactRepository } from "../artifacts/artifact-repository.ts";
import { openArtifactRepository } from "../artifacts/open-artifact-repository.ts";
import type { ServerAccess } from "../entities/server-access.ts";
import { resolveServerAccess } from "../settings/server-access.ts";
import { outerEndpoint } from "../settings/tracking-uri.ts";
import { openTrackingStore } from "../store/open-store.ts";
import type { SharedStores } from "../store/shared-stores.ts";
import type { TrackingStore } from "../store/tracking-store.ts";
import type { JournalHeader } from "../wire/journal-header.ts";

/** A locked database must not block the event loop: the drain waits by itself. */
const busyTimeoutMs = 100;
/** Reads answer somebody who waits. */
const readTimeoutMs = 2000;

type Environment = Readonly<Record<string, string | undefined>>;

/** The store and artifacts of one journal: opened when they are first needed, by the header's URI and this environment's credentials. */
export class RecordingStore {
  /** A tracking server gives runs ids of its own. */
  readonly isServer: boolean;
  readonly #header: JournalHeader;
  readonly #env: Environment;
  readonly #shared: SharedStores | undefined;
  readonly #artifacts = new Map<string, ArtifactRepository>();
  #writing: TrackingStore | undefined;
  #reading: TrackingStore | undefined;
  #revision: (() => string) | undefined;
  #isAborted = false;

  /** `shared`: databases that other journals of this process are drained into as well. */
  constructor(header: JournalHeader, env: Environment, shared?: SharedStores) {
    this.#header = header;
    this.#env = env;
    this.#shared = shared;
    this.isServer = /^https?:/iu.test(header.trackingUri);
  }

  /** For the drain, which closes it. Requests are tried once: the drain itself waits and looks what was done. */
  async openForDrain(): Promise<TrackingStore> {
    const { trackingUri } = this.#header;
    const open = () => openTrackingStore(trackingUri, { mode: "write", busyTimeoutMs, ...this.#accessOption() });
    const store =
      this.isServer || this.#shared === undefined ? await open() : await this.#shared.use(trackingUri, open);
    if (this.#isAborted) store.abort?.();
    this.#writing = store;
    this.#revision = hasRevision(store) ? () => store.revision() : undefined;
    return store;
  }

  /** Shared with the drain where calls run in order anyway; a server is asked on its own, and not for long. */
  async openForReading(): Promise<TrackingStore> {
    if (!this.isServer && this.#writing !== undefined) return this.#writing;
    this.#reading ??= await openTrackingStore(this.#header.trackingUri, {
      // A program's first words may make an experiment, before anything goes through the journal.
      mode: this.#header.kind === "program" ? "write" : "read",
      busyTimeoutMs,
      ...this.#accessOption((access) => ({ ...access, timeoutMs: Math.min(access.timeoutMs, readTimeoutMs) })),
    });
    return this.#reading;
  }

  /** One repository for each place, so that its connections are kept. */
  openArtifacts(artifactUri: string): ArtifactRepository {
    const known = this.#artifacts.get(artifactUri);
    if (known !== undefined) return known;
    const made = openArtifactRepository(artifactUri, this.#accessOption());
    if (this.#isAborted) made.abort?.();
    this.#artifacts.set(artifactUri, made);
    return made;
  }

  /** The database's schema revision; `undefined` where it cannot be told. */
  revision(): string | undefined {
    try {
      return this.#revision?.();
    } catch {
      // A database that cannot tell now (locked, closed): the drain then sees no migration, which is the usual case.
      return undefined;
    }
  }

  /** A server that keeps silent is waited for no longer. */
  abort(): void {
    this.#isAborted = true;
    this.#writing?.abort?.();
    this.#reading?.abort?.();
    for (const repository of this.#artifacts.values()) repository.abort?.();
  }

  async close(): Promise<void> {
    await this.#reading?.[Symbol.asyncDispose]();
    this.#reading = undefined;
    for (const repository of this.#artifacts.values()) await repository.close?.();
    this.#artifacts.clear();
  }

  /** The endpoint of an outer run stands for the server. */
  get isThroughOuter(): boolean {
    return outerEndpoint(this.#header.trackingUri, this.#env) !== undefined;
  }

  /** How a tracking server is reached, every request tried once; `undefined` for any other store. */
  get access(): ServerAccess | undefined {
    return this.#accessOption().access;
  }

  #accessOption(change = (access: ServerAccess) => access): { readonly access?: ServerAccess } {
    if (!this.isServer) return {};
    const { trackingUri, workspace, isUntrusted = false } = this.#header;
    const { workspace: _workspace, ...access } = resolveServerAccess(trackingUri, this.#env, { isUntrusted });
    const once = {
      ...access,
      retry: { ...access.retry, maxRetries: 0 },
      ...(workspace !== undefined && { workspace }),
    };
    return { access: change(once) };
  }
}

function hasRevision(store: TrackingStore): store is TrackingStore & { revision(): string } {
  return "revision" in store && typeof store.revision === "function";
}
