import { canGroup, type GroupingStore, type TrackingStore } from "./tracking-store.ts";

/** Those who may still come are waited for so long. */
const gatherMs = 15;

/**
 * Databases that several journals are drained into at one time. Each is opened once, and what different users write
 * `together` at one time becomes one transaction: a commit costs a disk more than a run.
 */
export class SharedStores implements AsyncDisposable {
  readonly #opened = new Map<string, Promise<GatheringStore>>();

  /** The store behind `trackingUri`, which has to be one that groups. Closing it only ends this use. Rejects as `open` does. */
  async use(trackingUri: string, open: () => Promise<TrackingStore>): Promise<TrackingStore> {
    const known = this.#opened.get(trackingUri);
    if (known !== undefined) return (await known).use();
    const opening = open().then(gatheringStore);
    this.#opened.set(trackingUri, opening);
    try {
      return (await opening).use();
    } catch (error) {
      this.#opened.delete(trackingUri);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const opened of this.#opened.values()) await (await opened).close();
  }
}

interface Part {
  readonly work: (store: TrackingStore) => Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class GatheringStore {
  readonly #store: TrackingStore & GroupingStore;
  #parts: Part[] = [];

  constructor(store: TrackingStore & GroupingStore) {
    this.#store = store;
  }

  /** All that it is asked for is done by the store itself, but for what is gathered. */
  use(): TrackingStore {
    const leave = (): Promise<void> => Promise.resolve();
    const together = <Result>(work: (store: TrackingStore) => Promise<Result>): Promise<Result> => this.#gather(work);
    return new Proxy(this.#store, {
      get(store, name) {
        if (name === Symbol.asyncDispose) return leave;
        if (name === "together") return together;
        const member: unknown = Reflect.get(store, name, store);
        return typeof member === "function" ? member.bind(store) : member;
      },
    });
  }

  async close(): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
  }

  async #gather<Result>(work: (store: TrackingStore) => Promise<Result>): Promise<Result> {
    let result: { readonly value: Result } | undefined;
    await new Promise<void>((resolve, reject) => {
      const keep = async (store: TrackingStore): Promise<void> => void (result = { value: await work(store) });
      const isFirst = this.#parts.push({ work: keep, resolve, reject }) === 1;
      if (isFirst) setTimeout(() => void this.#write(), gatherMs);
    });
    if (result === undefined) throw new Error("a part was not carried out");
    return result.value;
  }

  /** Never rejects. Where one part cannot be stored the others must not suffer for it: each is tried by itself. */
  async #write(): Promise<void> {
    const parts = this.#parts.splice(0);
    if (parts.length > 1 && (await this.#writeAsOne(parts))) return;
    for (const { work, resolve, reject } of parts) await this.#store.together(work).then(resolve, reject);
  }

  async #writeAsOne(parts: readonly Part[]): Promise<boolean> {
    try {
      await this.#store.together(async (transaction) => {
        for (const { work } of parts) await work(transaction);
      });
    } catch {
      // Whose fault it was shows when each is tried by itself.
      return false;
    }
    for (const { resolve } of parts) resolve();
    return true;
  }
}

function gatheringStore(store: TrackingStore): GatheringStore {
  if (!canGroup(store)) throw new Error("the store cannot group writes");
  return new GatheringStore(store);
}
