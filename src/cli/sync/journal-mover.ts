import type { Run } from "../../entities/run.ts";
import { trackTags } from "../../entities/tag-keys.ts";
import { TrackError } from "../../errors.ts";
import { findEarlierGroupRun } from "../../store/find-group-run.ts";
import { findMovedRun } from "../../store/find-moved-run.ts";
import { findTaggedRuns } from "../../store/find-tagged-runs.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import type { JournalHeader } from "../../wire/journal-header.ts";
import { isServerUri } from "../../settings/tracking-uri.ts";
import { readRun } from "../transfer/read-run.ts";
import { RunImporter } from "../transfer/run-importer.ts";
import { openStoreSource } from "../transfer/store-source.ts";
import type { JournalContents } from "./journal-contents.ts";
import type { Retarget } from "./retarget-journal.ts";

export interface MoverOptions extends Retarget {
  readonly header: JournalHeader;
  readonly contents: JournalContents;
  /** The store's ids of what the journal knows by others. */
  readonly earlierIds: Readonly<Record<string, string>>;
}

/** Sees to it that the other store has all that a journal builds upon, and tells by what ids. Doing so again changes nothing. */
export class JournalMover {
  readonly #options: MoverOptions;
  readonly #ids: Record<string, string> = {};

  constructor(options: MoverOptions) {
    this.#options = options;
  }

  /** Resolves to the ids there of what the journal names and does not make. */
  async move(): Promise<Readonly<Record<string, string>>> {
    const { contents, header, say } = this.#options;
    for (const experimentId of contents.experimentIds) {
      this.#ids[experimentId] = await this.#placeExperiment(experimentId);
    }
    // Of runs that the journal makes the store may have what the journal has no longer.
    if (contents.isBegun) for (const runId of contents.madeRuns) await this.#place(runId);
    if (contents.joinsBy !== undefined) await this.#placeJoined(header.runId, contents.joinsBy);
    for (const runId of contents.earlierRuns) {
      if (!(await this.#place(runId))) this.#ids[runId] = await this.#makeRun(runId);
    }
    if (contents.goneFiles > 0 && this.#options.source.fault !== undefined) {
      say(`${this.#name(header.runId)}: ${contents.goneFiles} files are only where they were: ${this.#why}`);
    }
    return this.#ids;
  }

  #sourceId(id: string): string {
    return this.#options.earlierIds[id] ?? id;
  }

  /** By its name; ids mean something else in another store. */
  async #placeExperiment(experimentId: string): Promise<string> {
    const { header, source, store, say } = this.#options;
    const isOwn = "experimentId" in header.experiment && header.experiment.experimentId === experimentId;
    const known = (isOwn ? header.experimentName : undefined) ?? (experimentId === "0" ? "Default" : undefined);
    const name = known ?? (await source.findExperiment(this.#sourceId(experimentId)))?.name;
    if (name === undefined) {
      say(`the name of experiment ${experimentId} is unknown, its runs go to experiment-${experimentId}: ${this.#why}`);
    }
    return experimentIdOf(store, name ?? `experiment-${experimentId}`);
  }

  /** Copies what the journal's store has of a run; false where neither store has it. */
  async #place(runId: string): Promise<boolean> {
    const run = await this.#options.source.findRun(this.#sourceId(runId));
    if (run === undefined) return this.#find(runId);
    this.#ids[runId] = await this.#copy(run);
    return true;
  }

  /** A rank's run, by the rank's own id for it where it had been found, else by the group. */
  async #placeJoined(runId: string, group: string): Promise<void> {
    if (this.#options.earlierIds[runId] !== undefined && (await this.#place(runId))) return;
    const source = await this.#options.source.open();
    const run =
      source === undefined
        ? undefined
        : ((await findTaggedRuns(source, { key: trackTags.rankGroup, value: group }))[0] ??
          (await findEarlierGroupRun(source, group)));
    // Else it joins once rank 0's own journal has been sent there.
    if (run !== undefined) await this.#copy(run);
  }

  async #copy(run: Run): Promise<string> {
    const { source, store, trackingUri, say } = this.#options;
    const from = await source.open();
    const experiment = await source.findExperiment(run.info.experimentId);
    if (from === undefined || experiment === undefined) throw new TrackError(`its store is away: ${this.#why}`);
    const openArtifacts = (artifactUri: string) => source.openArtifacts(artifactUri);
    const importer = new RunImporter(openStoreSource(from, openArtifacts), {
      store,
      keepsIds: !isServerUri(trackingUri),
      withArtifacts: true,
      openArtifacts: (artifactUri) => this.#options.openArtifacts(artifactUri),
      isAlive: () => false,
      warn: say,
    });
    for await (const record of readRun(from, run, experiment)) await importer.take(record);
    await importer.finish();
    Object.assign(this.#ids, importer.modelIds);
    const [imported] = importer.imported;
    if (imported?.runId === undefined) throw new TrackError(`${this.#name(run.info.runId)}: ${imported?.reason}`);
    return imported.runId;
  }

  /** A run that came there before. */
  async #find(runId: string): Promise<boolean> {
    const found = await findMovedRun(this.#options.store, this.#sourceId(runId));
    if (found !== undefined) this.#ids[runId] = found.info.runId;
    return found !== undefined;
  }

  /** Of a run whose earlier part cannot be had there is at least what this journal says. */
  async #makeRun(runId: string): Promise<string> {
    const { header, store, trackingUri, say } = this.#options;
    const sourceId = this.#sourceId(runId);
    const isOwn = runId === header.runId;
    say(`${this.#name(sourceId)}: only what this journal holds is sent, not what the run had before: ${this.#why}`);
    const { experiment, rank } = header;
    const experimentId =
      "experimentId" in experiment
        ? (this.#ids[experiment.experimentId] ?? (await this.#placeExperiment(experiment.experimentId)))
        : await experimentIdOf(store, experiment.experimentName);
    const made = await store.createRun({
      experimentId,
      ...(!isServerUri(trackingUri) && { runId: sourceId }),
      runName: (isOwn ? header.runName : undefined) ?? `run-${sourceId.slice(0, 8)}`,
      userId: header.userId,
      startTime: header.startTime,
      tags: [
        ...(isOwn ? header.tags : []),
        ...(isOwn && rank !== undefined ? [{ key: trackTags.rankGroup, value: rank.group }] : []),
        ...(isServerUri(trackingUri) ? [{ key: trackTags.importedRunId, value: sourceId }] : []),
      ],
    });
    // Its own end stands in the journal; of another run nobody will tell how it ended.
    if (!isOwn) await store.updateRun(made.info.runId, { status: "FINISHED", endTime: header.startTime });
    return made.info.runId;
  }

  get #why(): string {
    return this.#options.source.fault ?? "its own store has it no longer";
  }

  #name(runId: string): string {
    return `run ${runId.slice(0, 8)}`;
  }
}

async function experimentIdOf(store: TrackingStore, name: string): Promise<string> {
  const found = await store.getExperimentByName(name);
  if (found?.lifecycleStage !== "deleted") return found?.experimentId ?? (await store.createExperiment({ name }));
  throw new TrackError(`experiment ${name} is deleted there`, {
    hint: `track experiments restore ${found.experimentId}`,
  });
}
