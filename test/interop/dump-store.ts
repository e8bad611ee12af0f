import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { openArtifactRepository } from "../../src/artifacts/open-artifact-repository.ts";
import type { DatasetInput } from "../../src/entities/dataset.ts";
import type { Experiment } from "../../src/entities/experiment.ts";
import type { LoggedModel } from "../../src/entities/logged-model.ts";
import type { Metric } from "../../src/entities/metric.ts";
import type { Run } from "../../src/entities/run.ts";
import type { Tag } from "../../src/entities/tag.ts";
import type { Page, TrackingStore } from "../../src/store/tracking-store.ts";

type Fields = Readonly<Record<string, unknown>>;

/** A whole tracking store in plain values, in the shape of `python/dump_store.py`. */
export interface StoreDump {
  readonly experiments: readonly Fields[];
  readonly runs: readonly Fields[];
  readonly models: readonly Fields[];
}

/** What our store says of everything in it: in its own default order, page by page, down to the content of artifacts. */
export async function dumpStore(store: TrackingStore): Promise<StoreDump> {
  const experiments = await allPages((page) => store.searchExperiments({ viewType: "ALL", ...page }));
  const experimentIds = experiments.map((experiment) => experiment.experimentId);
  const runs = await allPages((page) =>
    store.searchRuns({ experimentIds, viewType: "ALL", maxResults: 7, orderBy: [], ...page }),
  );
  const models = await allPages((page) => store.searchLoggedModels({ experimentIds, ...page }));
  return {
    experiments: await inOrder(experimentIds, async (id) => dumpExperiment(await store.getExperiment(id))),
    runs: await inOrder(runs, async ({ info }) => dumpRun(store, await store.getRun(info.runId))),
    models: await inOrder(models, async ({ modelId }) => dumpModel(await store.getLoggedModel(modelId))),
  };
}

async function allPages<Item>(search: (page: { pageToken?: string }) => Promise<Page<Item>>): Promise<readonly Item[]> {
  const items: Item[] = [];
  for (let token: string | undefined; ;) {
    const page = await search(token === undefined ? {} : { pageToken: token });
    items.push(...page.items);
    token = page.nextPageToken;
    if (token === undefined) return items;
  }
}

async function inOrder<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

function dumpExperiment(experiment: Experiment): Fields {
  return {
    experiment_id: experiment.experimentId,
    name: experiment.name,
    lifecycle_stage: experiment.lifecycleStage,
    artifact_location: experiment.artifactLocation,
    creation_time: experiment.creationTime,
    last_update_time: experiment.lastUpdateTime,
    tags: pairs(experiment.tags),
  };
}

async function dumpRun(store: TrackingStore, { info, data, inputs, outputs }: Run): Promise<Fields> {
  const history = await inOrder(data.metrics, async ({ key }) => [
    key,
    (await allPages((page) => store.getMetricHistory(info.runId, key, page))).map(point),
  ]);
  return {
    run_id: info.runId,
    run_name: info.runName,
    experiment_id: info.experimentId,
    user_id: info.userId,
    status: info.status,
    start_time: info.startTime,
    end_time: info.endTime ?? null,
    lifecycle_stage: info.lifecycleStage,
    artifact_uri: info.artifactUri,
    metrics: Object.fromEntries(data.metrics.map((metric) => [metric.key, point(metric)])),
    history: Object.fromEntries(history) as Fields,
    params: pairs(data.params),
    tags: pairs(data.tags),
    datasets: inputs.datasetInputs.map(dumpDatasetInput),
    models_used: inputs.modelIds,
    models_made: outputs.models.map(({ modelId, step }) => [modelId, step]),
    artifacts: await dumpArtifacts(info.artifactUri),
  };
}

function dumpDatasetInput({ dataset, tags }: DatasetInput): Fields {
  const { name, digest, sourceType, source, schema = null, profile = null } = dataset;
  return { name, digest, source_type: sourceType, source, schema, profile, tags: pairs(tags) };
}

function dumpModel(model: LoggedModel): Fields {
  return {
    model_id: model.modelId,
    experiment_id: model.experimentId,
    name: model.name,
    artifact_location: model.artifactLocation,
    creation_timestamp: model.creationTimestamp,
    last_updated_timestamp: model.lastUpdatedTimestamp,
    status: model.status.replace("LOGGED_MODEL_", ""),
    model_type: model.modelType ?? null,
    source_run_id: model.sourceRunId ?? null,
    params: pairs(model.params),
    tags: pairs(model.tags),
    metrics: model.metrics.map((metric) => [metric.key, ...point(metric)]),
  };
}

async function dumpArtifacts(artifactUri: string, folder = ""): Promise<readonly unknown[]> {
  const repository = openArtifactRepository(artifactUri);
  const entries: unknown[] = [];
  for (const { path, isFolder, size } of await repository.listArtifacts(folder)) {
    if (isFolder) entries.push([path, null, null], ...(await dumpArtifacts(artifactUri, path)));
    else entries.push([path, size, hash(readFileSync(repository.localPath?.(path) ?? ""))]);
  }
  return entries;
}

const hash = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

const pairs = (items: readonly Tag[]): Fields => Object.fromEntries(items.map(({ key, value }) => [key, value]));

function point({ value, timestamp, step }: Metric): readonly unknown[] {
  return [Number.isNaN(value) ? "NaN" : value, timestamp, step];
}
