import { dirname } from "node:path";
import { openArtifactRepository } from "../../artifacts/open-artifact-repository.ts";
import { type FoundJournal, listJournals } from "../../recorder/dead-journals.ts";
import { resolveServerAccess, withTypedUri } from "../../settings/server-access.ts";
import { isServerUri } from "../../settings/tracking-uri.ts";
import { openTrackingStore } from "../../store/open-store.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { withoutUserinfo } from "../../util/uri-secrets.ts";
import type { JournalHeader } from "../../wire/journal-header.ts";
import type { Context } from "../context.ts";
import { retargetJournal } from "./retarget-journal.ts";
import { SourceStore } from "./source-store.ts";

/** `track sync --to`: the other store, and those that the journals were written for, each opened once. */
export class Retargeting implements AsyncDisposable {
  readonly #context: Context;
  readonly #trackingUri: string;
  readonly #sources = new Map<string, SourceStore>();
  #store: Promise<TrackingStore> | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(context: Context, to: string) {
    this.#context = context;
    this.#trackingUri = context.trackingUri(to);
  }

  /** The journal, whose store is the other one from now on. Journals are taken one after the other, since several may continue one run. */
  move(journal: FoundJournal): Promise<FoundJournal> {
    const moved = this.#tail.then(() => this.#move(journal));
    this.#tail = moved.catch(() => undefined);
    return moved;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const source of this.#sources.values()) await source[Symbol.asyncDispose]();
    const store = await this.#store?.catch(() => undefined);
    await store?.[Symbol.asyncDispose]();
  }

  async #move(journal: FoundJournal): Promise<FoundJournal> {
    if (withoutUserinfo(this.#trackingUri) === journal.header.trackingUri) return journal;
    const access = this.#access;
    this.#store ??= openTrackingStore(this.#trackingUri, { mode: "write", ...(access !== undefined && { access }) });
    await retargetJournal(journal, {
      trackingUri: this.#trackingUri,
      access,
      store: await this.#store,
      openArtifacts: async (artifactUri) =>
        await Promise.resolve(openArtifactRepository(artifactUri, access === undefined ? {} : { access })),
      source: this.#sourceOf(journal.header),
      say: (text) => this.#context.io.say(text),
    });
    return listJournals([dirname(journal.folder)]).find(({ folder }) => folder === journal.folder) ?? journal;
  }

  get #access() {
    if (!isServerUri(this.#trackingUri)) return undefined;
    return resolveServerAccess(this.#trackingUri, withTypedUri(this.#context.env, this.#trackingUri));
  }

  #sourceOf({ trackingUri, workspace, isUntrusted }: JournalHeader): SourceStore {
    const place = {
      trackingUri,
      ...(workspace !== undefined && { workspace }),
      ...(isUntrusted !== undefined && { isUntrusted }),
    };
    const key = JSON.stringify(place);
    const source = this.#sources.get(key) ?? new SourceStore(place, this.#context.env);
    this.#sources.set(key, source);
    return source;
  }
}
