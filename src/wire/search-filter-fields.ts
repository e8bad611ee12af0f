import type { SearchToken } from "./search-filter-tokens.ts";
import { describeToken, quoteForMessage, searchSyntaxError } from "./search-filter-tokens.ts";

/** Attributes of a run that a search can name; aliases (`created`, `run name`) are already resolved. */
export type RunAttribute = "run_id" | "run_name" | "user_id" | "status" | "artifact_uri" | "start_time" | "end_time";

export type ExperimentAttribute = "name" | "experiment_id" | "creation_time" | "last_update_time";

/** What a comparison or an order_by element of a run search looks at. */
export type RunField =
  | { readonly entity: "metric" | "param" | "tag"; readonly key: string }
  | { readonly entity: "attribute"; readonly key: RunAttribute }
  | { readonly entity: "dataset"; readonly key: "name" | "digest" | "context" };

/** What a comparison or an order_by element of an experiment search looks at. */
export type ExperimentField =
  | { readonly entity: "tag"; readonly key: string }
  | { readonly entity: "attribute"; readonly key: ExperimentAttribute };

/** A field of any kind, as far as messages need it. */
export interface NamedField {
  readonly entity: string;
  readonly key: string;
}

const runEntities: Readonly<Record<string, RunField["entity"]>> = {
  metric: "metric",
  metrics: "metric",
  param: "param",
  params: "param",
  parameter: "param",
  parameters: "param",
  tag: "tag",
  tags: "tag",
  attribute: "attribute",
  attributes: "attribute",
  attr: "attribute",
  run: "attribute",
  dataset: "dataset",
  datasets: "dataset",
};

const experimentEntities: Readonly<Record<string, ExperimentField["entity"]>> = {
  tag: "tag",
  tags: "tag",
  attribute: "attribute",
};

const runAttributes: Readonly<Record<string, RunAttribute>> = {
  run_id: "run_id",
  run_name: "run_name",
  "run name": "run_name",
  "Run name": "run_name",
  "Run Name": "run_name",
  user_id: "user_id",
  status: "status",
  artifact_uri: "artifact_uri",
  start_time: "start_time",
  created: "start_time",
  Created: "start_time",
  end_time: "end_time",
};

const experimentAttributes: Readonly<Record<string, ExperimentAttribute>> = {
  name: "name",
  experiment_id: "experiment_id",
  creation_time: "creation_time",
  last_update_time: "last_update_time",
};

const datasetKeys: Readonly<Record<string, "name" | "digest" | "context">> = {
  name: "name",
  digest: "digest",
  context: "context",
};

const runHint = "use metrics.KEY, params.KEY, tags.KEY, datasets.name, or an attribute such as status or start_time";
const experimentHint = "use name, experiment_id, creation_time, last_update_time or tags.KEY";

/** The field that a token names in a run search; anything else: `INVALID_PARAMETER_VALUE`. */
export function readRunField(token: SearchToken): RunField {
  const { prefix, key } = readName(token, runHint);
  const entity = prefix === undefined ? "attribute" : lookUp(runEntities, prefix);
  switch (entity) {
    case undefined:
      throw searchSyntaxError(`unknown prefix ${quoteForMessage(prefix ?? "")}.`, token.position, runHint);
    case "attribute":
      return { entity, key: readKey(token, key, { known: runAttributes, what: "run attribute" }) };
    case "dataset":
      return { entity, key: readKey(token, key, { known: datasetKeys, what: "dataset attribute" }) };
    case "metric":
    case "param":
    case "tag":
      return { entity, key: checkKey(token, key) };
  }
}

/** The field that a token names in an experiment search; anything else: `INVALID_PARAMETER_VALUE`. */
export function readExperimentField(token: SearchToken): ExperimentField {
  const { prefix, key } = readName(token, experimentHint);
  const entity = prefix === undefined ? "attribute" : lookUp(experimentEntities, prefix);
  switch (entity) {
    case undefined:
      throw searchSyntaxError(`unknown prefix ${quoteForMessage(prefix ?? "")}.`, token.position, experimentHint);
    case "attribute":
      return { entity, key: readKey(token, key, { known: experimentAttributes, what: "experiment attribute" }) };
    case "tag":
      return { entity, key: checkKey(token, key) };
  }
}

/** The field as the user may write it, for messages. */
export function describeField(field: NamedField): string {
  if (field.entity === "attribute") return field.key;
  const key = /^[\p{L}\p{N}_.]+$/u.test(field.key) ? field.key : `\`${field.key}\``;
  return quoteForMessage(`${field.entity}s.${key}`);
}

/** `prefix.key`, or a key alone; anything else: `INVALID_PARAMETER_VALUE`. */
export function readName(token: SearchToken, hint: string): { readonly prefix?: string; readonly key: string } {
  if (token.kind === "name") return token;
  if (token.kind === "word") return { key: token.text };
  if (token.kind === "quoted" && token.quote !== "'") return { key: token.value };
  throw searchSyntaxError(`expected a name, found ${describeToken(token)}`, token.position, hint);
}

function readKey<Key extends string>(
  token: SearchToken,
  key: string,
  options: { readonly known: Readonly<Record<string, Key>>; readonly what: string },
): Key {
  const found = lookUp(options.known, key);
  if (found !== undefined) return found;
  const names = [...new Set(Object.values(options.known))].join(", ");
  throw searchSyntaxError(`unknown ${options.what} ${quoteForMessage(key)}`, token.position, `use one of: ${names}`);
}

function checkKey(token: SearchToken, key: string): string {
  if (key !== "") return key;
  const hint = "write metrics.KEY, params.KEY or tags.KEY, without a blank behind the dot";
  throw searchSyntaxError(`no key after ${quoteForMessage(token.text)}`, token.position, hint);
}

function lookUp<Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
