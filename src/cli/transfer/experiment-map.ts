import type { Experiment } from "../../entities/experiment.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";

/** The experiments of a source by name in the store that is imported into; a missing one is made, at the store's own place. */
export class ExperimentMap {
  readonly #store: TrackingStore;
  readonly #found = new Map<string, Experiment>();
  /** Made here, deleted in the source: deleted at the end, since a deleted experiment takes no runs. */
  readonly #toDelete = new Set<string>();

  constructor(store: TrackingStore) {
    this.#store = store;
  }

  async find(source: Experiment): Promise<Experiment> {
    const found = this.#found.get(source.name);
    if (found !== undefined) return found;
    const target = (await this.#store.getExperimentByName(source.name)) ?? (await this.#create(source));
    await this.#addTags(source, target);
    this.#found.set(source.name, target);
    return target;
  }

  async finish(): Promise<void> {
    for (const experimentId of this.#toDelete) await this.#store.deleteExperiment(experimentId);
    this.#toDelete.clear();
  }

  async #create({ name, tags, lifecycleStage }: Experiment): Promise<Experiment> {
    const experimentId = await this.#store.createExperiment({ name, tags });
    if (lifecycleStage === "deleted") this.#toDelete.add(experimentId);
    return await this.#store.getExperiment(experimentId);
  }

  /** A tag that is here already says something newer. */
  async #addTags(source: Experiment, target: Experiment): Promise<void> {
    if (target.lifecycleStage === "deleted") return;
    const known = new Set(target.tags.map(({ key }) => key));
    for (const tag of source.tags) {
      if (!known.has(tag.key)) await this.#store.setExperimentTag(target.experimentId, tag);
    }
  }
}
