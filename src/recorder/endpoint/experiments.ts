import type { Experiment } from "../../entities/experiment.ts";
import { invalidParameter } from "../../errors.ts";
import type { CreateExperimentRequest } from "../../store/tracking-store.ts";
import type { Recording } from "../recording.ts";
import type { StoreAccess } from "./store-access.ts";

const cachedAfterMs = 2000;

/**
 * Experiments as the command's processes see them. Their ids are the store's to give, so that a new one is made there and
 * then, behind all that was said before, and journaled for whoever replays the journal into another store.
 */
export class Experiments {
  readonly #recording: Recording;
  readonly #access: StoreAccess;
  readonly #seen = new Map<string, Experiment>();

  constructor(recording: Recording, access: StoreAccess) {
    this.#recording = recording;
    this.#access = access;
  }

  async create(request: CreateExperimentRequest): Promise<string> {
    const experimentId = await this.#access.write((store) => store.createExperiment(request));
    const { name, artifactLocation, tags = [] } = request;
    this.#recording.live.write({
      op: "create-experiment",
      experimentId,
      name,
      ...(artifactLocation !== undefined && { artifactLocation }),
      tags,
    });
    return experimentId;
  }

  /** While the store is locked, as it was seen last. */
  async get(experimentId: string): Promise<Experiment> {
    const known = this.#seen.get(experimentId);
    const ask = () => this.#access.read((store) => store.getExperiment(this.#recording.toStoreId(experimentId)));
    return this.#note(known === undefined ? await ask() : await soonerOf(ask(), known));
  }

  async getByName(name: string): Promise<Experiment | undefined> {
    const found = await this.#access.read((store) => store.getExperimentByName(name));
    return found === undefined ? undefined : this.#note(found);
  }

  /** For what is created in it; refuses a deleted one. As it was seen last, since every run asks for it. */
  async active(experimentId: string): Promise<Experiment> {
    const experiment = this.#seen.get(experimentId) ?? (await this.get(experimentId));
    if (experiment.lifecycleStage === "active") return experiment;
    throw invalidParameter(
      `The experiment ${experimentId} must be in the 'active' state. Current state is ${experiment.lifecycleStage}.`,
    );
  }

  /** The next use asks the store again. */
  forget(experimentId: string): void {
    this.#seen.delete(experimentId);
  }

  #note(stored: Experiment): Experiment {
    const experiment = { ...stored, experimentId: this.#recording.fromStoreId(stored.experimentId) };
    this.#seen.set(experiment.experimentId, experiment);
    return experiment;
  }
}

async function soonerOf(asked: Promise<Experiment>, known: Experiment): Promise<Experiment> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Experiment>((resolve) => {
    timer = setTimeout(() => resolve(known), cachedAfterMs);
  });
  asked.catch(() => {});
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}
