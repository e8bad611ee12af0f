import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { ArtifactRepository } from "../../artifacts/artifact-repository.ts";
import type { DatasetInput } from "../../entities/dataset.ts";
import type { Experiment } from "../../entities/experiment.ts";
import type { LoggedModel } from "../../entities/logged-model.ts";
import type { Metric } from "../../entities/metric.ts";
import type { Run, RunInputs, RunOutputs } from "../../entities/run.ts";
import { mlflowTags } from "../../entities/tag-keys.ts";
import { TrackError } from "../../errors.ts";
import { statusFromJson } from "../../wire/rest-json-read.ts";
import {
  filesBelow,
  namesIn,
  numberOf,
  readMeta,
  readModel,
  readPairs,
  readPoints,
  textOf,
} from "./file-store-files.ts";
import type { ImportSource } from "./import-source.ts";
import { modelIdsOf } from "./read-run.ts";
import type { TransferRecord } from "./transfer-record.ts";
import type { YamlMapping } from "./pyyaml-mapping.ts";

const pointsPerRecord = 1000;
/** Folders of an experiment that are no runs. */
const notRuns: ReadonlySet<string> = new Set(["tags", "datasets", "models", "traces"]);

interface FoundRun {
  readonly folder: string;
  readonly experimentFolder: string;
  readonly experiment: Experiment;
  readonly meta: YamlMapping;
}

/**
 * An `mlruns` folder as MLflow's file store wrote it up to 3.12 (contract, section 5); runs the oldest first, deleted ones and
 * those of deleted experiments as well. The folder may have been moved: nothing depends on the paths in it.
 */
export function openFileStore(
  root: string,
  openArtifacts: (artifactUri: string) => Promise<ArtifactRepository>,
): ImportSource {
  const folders = [...namesIn(root), ...namesIn(join(root, ".trash")).map((name) => join(".trash", name))];
  const experiments = folders
    .map((name) => readExperiment(join(root, name)))
    .filter((experiment) => experiment !== undefined);
  if (experiments.length === 0) {
    throw new TrackError(`no experiments of MLflow in ${root}`, {
      hint: "name the folder that holds 0/meta.yaml and its like, often mlruns",
    });
  }
  const openThere = async (folder: string, recorded: string): Promise<ArtifactRepository | undefined> => {
    if (existsSync(folder)) return await openArtifacts(folder);
    // They were kept elsewhere, such as in a bucket.
    return /^(?:file:|\/)/u.test(recorded) ? undefined : await openArtifacts(recorded);
  };
  const runFolders = new Map<string, string>();
  return {
    records: () => readRuns(experiments, runFolders),
    openRunArtifacts: ({ info }) => openThere(join(runFolders.get(info.runId) ?? "", "artifacts"), info.artifactUri),
    openModelArtifacts: ({ artifactLocation }) => openThere(artifactLocation, artifactLocation),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

type ExperimentFolder = { readonly folder: string; readonly experiment: Experiment };

function readExperiment(folder: string): ExperimentFolder | undefined {
  const meta = readMeta(folder);
  const name = meta === undefined ? undefined : textOf(meta, "name");
  const experimentId = meta === undefined ? undefined : textOf(meta, "experiment_id");
  // The folder of the model registry looks alike, but holds no such file itself.
  if (meta === undefined || name === undefined || experimentId === undefined) return undefined;
  return {
    folder,
    experiment: {
      experimentId,
      name,
      artifactLocation: textOf(meta, "artifact_location") ?? folder,
      lifecycleStage: textOf(meta, "lifecycle_stage") === "deleted" ? "deleted" : "active",
      tags: readPairs(join(folder, "tags")),
    },
  };
}

async function* readRuns(
  experiments: readonly ExperimentFolder[],
  runFolders: Map<string, string>,
): AsyncGenerator<TransferRecord> {
  for (const { experiment } of experiments) yield { type: "experiment", experiment };
  const found = experiments.flatMap(findRuns);
  found.sort((one, other) => (numberOf(one.meta, "start_time") ?? 0) - (numberOf(other.meta, "start_time") ?? 0));
  for (const each of found) {
    const run = readRun(each);
    runFolders.set(run.info.runId, each.folder);
    yield* recordsOf(each, run);
    runFolders.delete(run.info.runId);
    // Many small files: let other work in between runs.
    await Promise.resolve();
  }
}

function findRuns({ folder: experimentFolder, experiment }: ExperimentFolder): readonly FoundRun[] {
  return namesIn(experimentFolder)
    .filter((name) => !notRuns.has(name))
    .flatMap((name) => {
      const folder = join(experimentFolder, name);
      const meta = readMeta(folder);
      return meta === undefined ? [] : [{ folder, experimentFolder, experiment, meta }];
    });
}

function* recordsOf({ folder, experimentFolder, experiment }: FoundRun, run: Run): Generator<TransferRecord> {
  const { runId } = run.info;
  yield { type: "run", run, experiment };
  for (const modelId of modelIdsOf(run)) {
    const model: LoggedModel | undefined = readModel(join(experimentFolder, "models", modelId));
    if (model !== undefined) yield { type: "model", runId, model };
  }
  const metrics = join(folder, "metrics");
  for (const key of filesBelow(metrics)) {
    const points = readPoints(join(metrics, key), key);
    for (let from = 0; from < points.length; from += pointsPerRecord) {
      yield { type: "metrics", runId, metrics: points.slice(from, from + pointsPerRecord) };
    }
  }
  yield { type: "end", runId };
}

function readRun({ folder, experimentFolder, experiment, meta }: FoundRun): Run {
  const tags = readPairs(join(folder, "tags"));
  const runId = textOf(meta, "run_id") ?? textOf(meta, "run_uuid") ?? basename(folder);
  const endTime = numberOf(meta, "end_time");
  const nameTag = tags.find(({ key }) => key === mlflowTags.runName)?.value;
  return {
    info: {
      runId,
      runName: nameTag ?? textOf(meta, "run_name") ?? textOf(meta, "name") ?? "",
      experimentId: experiment.experimentId,
      userId: textOf(meta, "user_id") ?? "unknown",
      status: statusFromJson(textOf(meta, "status")) ?? "FINISHED",
      startTime: numberOf(meta, "start_time") ?? 0,
      ...(endTime !== undefined && { endTime }),
      lifecycleStage: textOf(meta, "lifecycle_stage") === "deleted" ? "deleted" : "active",
      artifactUri: textOf(meta, "artifact_uri") ?? join(folder, "artifacts"),
    },
    data: { metrics: latestPoints(join(folder, "metrics")), params: readPairs(join(folder, "params")), tags },
    inputs: readInputs(folder, experimentFolder),
    outputs: readOutputs(folder),
  };
}

/** Only their keys matter to a reader of records; the last line is near enough. */
function latestPoints(folder: string): readonly Metric[] {
  return filesBelow(folder).flatMap((key) => readPoints(join(folder, key), key).slice(-1));
}

function readInputs(folder: string, experimentFolder: string): RunInputs {
  const datasetInputs: DatasetInput[] = [];
  const modelIds: string[] = [];
  for (const name of namesIn(join(folder, "inputs"))) {
    const meta = readMeta(join(folder, "inputs", name));
    const sourceId = meta === undefined ? undefined : textOf(meta, "source_id");
    if (meta === undefined || sourceId === undefined) continue;
    if (textOf(meta, "source_type")?.startsWith("MODEL") === true) modelIds.push(sourceId);
    else {
      const dataset = readDataset(join(experimentFolder, "datasets", sourceId));
      if (dataset !== undefined) datasetInputs.push({ dataset, tags: tagsOf(meta) });
    }
  }
  return { datasetInputs, modelIds };
}

function readDataset(folder: string): DatasetInput["dataset"] | undefined {
  const meta = readMeta(folder);
  if (meta === undefined) return undefined;
  const schema = textOf(meta, "schema");
  const profile = textOf(meta, "profile");
  return {
    name: textOf(meta, "name") ?? "",
    digest: textOf(meta, "digest") ?? "",
    sourceType: textOf(meta, "source_type") ?? "",
    source: textOf(meta, "source") ?? "",
    ...(schema !== undefined && { schema }),
    ...(profile !== undefined && { profile }),
  };
}

function tagsOf(meta: YamlMapping): DatasetInput["tags"] {
  const tags = meta["tags"];
  if (typeof tags !== "object" || tags === null) return [];
  return Object.entries(tags).flatMap(([key, value]) => (typeof value === "string" ? [{ key, value }] : []));
}

function readOutputs(folder: string): RunOutputs {
  const models = namesIn(join(folder, "outputs")).flatMap((name) => {
    const meta = readMeta(join(folder, "outputs", name));
    const modelId = meta === undefined ? undefined : textOf(meta, "destination_id");
    return meta === undefined || modelId === undefined ? [] : [{ modelId, step: numberOf(meta, "step") ?? 0 }];
  });
  return { models };
}
