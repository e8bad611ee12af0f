import type { Experiment } from "../../entities/experiment.ts";
import type { StoreOperation } from "../../entities/journal-entry.ts";
import { checkExperimentName, checkExperimentTag } from "../../entities/validation.ts";
import { invalidParameter, StoreError } from "../../errors.ts";
import type { CreateExperimentRequest, TrackingStore } from "../../store/tracking-store.ts";
import { randomHex } from "../../util/ids.ts";
import type { Recording } from "../recording.ts";
import type { StoreAccess } from "./store-access.ts";

const cachedAfterMs = 2000;

/** A server that takes longer gets the experiment later, under an id that is mapped then. */
const createWaitMs = 2000;

/**
 * Experiments as the command's processes see them. Their ids are the store's to give, so that a new one is made there and
 * then, and journaled for whoever replays the journal into another store. While a server is away they get ids of our own.
 */
export class Experiments {
  readonly #recording: Recording;
  readonly #access: StoreAccess;
  readonly #seen = new Map<string, Experiment>();
  /** Made by the command's processes. */
  readonly #made = new Set<string>();

  constructor(recording: Recording, access: StoreAccess) {
    this.#recording = recording;
    this.#access = access;
  }

  async create(request: CreateExperimentRequest): Promise<string> {
    if (!this.#recording.isServer) {
      const experimentId = await this.#access.write((store) => store.createExperiment(request));
      return this.#note(this.#write(experimentId, request));
    }
    checkExperimentName(request.name);
    request.tags?.forEach(checkExperimentTag);
    const taken = this.#seen.values().find(({ name }) => name === request.name);
    if (taken !== undefined) {
      throw new StoreError("RESOURCE_ALREADY_EXISTS", `Experiment(name=${request.name}) already exists.`);
    }
    const made = await this.#soon((store) => store.createExperiment(request));
    return this.#note(this.#write(made ?? mintedId(), request));
  }

  /** The command's processes have made it. */
  isMade(experimentId: string): boolean {
    return this.#made.has(experimentId);
  }

  /** It was asked for, or made, by the command's processes. */
  isSeen(experimentId: string): boolean {
    return this.#seen.has(experimentId);
  }

  /** The id of an experiment that is known by its name only, and whose store cannot be asked. */
  assume(name: string): string {
    const known = this.#seen.values().find((experiment) => experiment.name === name);
    return known?.experimentId ?? this.#note(this.#write(mintedId(), { name }));
  }

  /** While the store is locked, as it was seen last. */
  async get(experimentId: string): Promise<Experiment> {
    const known = this.#seen.get(experimentId) ?? this.#ownUnseen(experimentId);
    const ask = () => this.#access.read((store) => store.getExperiment(this.#recording.ids.toStore(experimentId)));
    const { isServer, isStoreAway } = this.#recording;
    const isUnasked = this.#isMinted(experimentId) && !this.#recording.ids.isOnServer(experimentId);
    if (known !== undefined && isServer && (isStoreAway || isUnasked)) return known;
    return this.#noteStored(known === undefined ? await ask() : await soonerOf(ask(), known));
  }

  async getByName(name: string): Promise<Experiment | undefined> {
    if (this.#recording.isServer) return await this.#getByNameSoon(name);
    const found = await this.#access.read((store) => store.getExperimentByName(name));
    return found === undefined ? undefined : this.#noteStored(found);
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

  /** What an earlier recorder of the journal had made. */
  observe(operation: StoreOperation): void {
    if (operation.op === "create-experiment" && operation.experimentId !== undefined) {
      this.#made.add(operation.experimentId);
      if (this.#isMinted(operation.experimentId)) this.#note(unseen(operation.experimentId, operation));
    }
  }

  /** While the server is away the command makes the experiment, which is found to be there when it is back. */
  async #getByNameSoon(name: string): Promise<Experiment | undefined> {
    const known = this.#seen.values().find((experiment) => experiment.name === name);
    if (known !== undefined && (this.#isMinted(known.experimentId) || this.#recording.isStoreAway)) return known;
    const answer = await this.#soon(async (store) => [await store.getExperimentByName(name)]);
    if (answer === undefined) return known;
    const [found] = answer;
    return found === undefined ? undefined : this.#noteStored(found);
  }

  /** `undefined` where the server is away, or takes too long. */
  async #soon<Answer>(ask: (store: TrackingStore) => Promise<Answer>): Promise<Answer | undefined> {
    return this.#recording.isStoreAway ? undefined : await this.#access.readSoon(ask, createWaitMs);
  }

  #isMinted(experimentId: string): boolean {
    return experimentId.length === mintedIdDigits;
  }

  /** Where the run was put, as far as it is known without the store. */
  #ownUnseen(experimentId: string): Experiment | undefined {
    const { experiment, experimentName } = this.#recording.header;
    if (!this.#recording.isServer || !("experimentId" in experiment) || experiment.experimentId !== experimentId)
      return;
    const name = experimentName ?? (experimentId === "0" ? "Default" : undefined);
    return name === undefined ? undefined : unseen(experimentId, { name });
  }

  #write(experimentId: string, request: CreateExperimentRequest): Experiment {
    const { name, artifactLocation, tags = [] } = request;
    this.#made.add(experimentId);
    this.#recording.live.write({
      op: "create-experiment",
      experimentId,
      name,
      ...(artifactLocation !== undefined && { artifactLocation }),
      tags,
    });
    return unseen(experimentId, request);
  }

  #noteStored(stored: Experiment): Experiment {
    const experiment = { ...stored, experimentId: this.#recording.ids.fromStore(stored.experimentId) };
    this.#seen.set(experiment.experimentId, experiment);
    return experiment;
  }

  /** One that is the store's own is asked for when it is needed. */
  #note(experiment: Experiment): string {
    if (this.#isMinted(experiment.experimentId)) this.#seen.set(experiment.experimentId, experiment);
    return experiment.experimentId;
  }
}

/** As MLflow's file store makes them; a server counts from 1, so that the two are told apart. */
const mintedIdDigits = 18;

function mintedId(): string {
  const random = BigInt(`0x${randomHex(8)}`) % 10n ** BigInt(mintedIdDigits - 1);
  return String(10n ** BigInt(mintedIdDigits - 1) + random);
}

function unseen(experimentId: string, { name, artifactLocation, tags = [] }: CreateExperimentRequest): Experiment {
  return {
    experimentId,
    name,
    artifactLocation: artifactLocation ?? `mlflow-artifacts:/${experimentId}`,
    lifecycleStage: "active",
    creationTime: Date.now(),
    lastUpdateTime: Date.now(),
    tags,
  };
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
