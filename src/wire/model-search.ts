import { type StoreError, invalidParameter } from "../errors.ts";
import type { Condition, ConditionKind } from "./search-filter-conditions.ts";
import { readName } from "./search-filter-fields.ts";
import {
  describeToken,
  namingInput,
  quoteForMessage,
  type SearchToken,
  searchSyntaxError,
  tokenizeSearch,
} from "./search-filter-tokens.ts";
import { parseFilter } from "./search-filter.ts";

/** What a search of logged models, registered models or model versions looks at; an attribute's `key` is MLflow's name of it. */
export interface ModelField {
  readonly entity: "attribute" | "metric" | "param" | "tag";
  readonly key: string;
}

export interface ModelComparison {
  readonly field: ModelField;
  readonly condition: Condition;
}

/** What one of these searches can name. */
interface Vocabulary {
  readonly entities: Readonly<Record<string, ModelField["entity"]>>;
  readonly texts: readonly string[];
  readonly numbers: readonly string[];
  /** Keys that can stand before IN: `all`, or these attributes. */
  readonly listed: "all" | readonly string[];
  readonly aliases?: Readonly<Record<string, string>>;
}

const loggedModels: Vocabulary = {
  entities: { attributes: "attribute", metrics: "metric", params: "param", tags: "tag" },
  texts: ["model_id", "experiment_id", "name", "artifact_location", "model_type", "source_run_id", "status_message"],
  numbers: ["creation_timestamp_ms", "last_updated_timestamp_ms"],
  listed: "all",
  aliases: {
    creation_time: "creation_timestamp_ms",
    creation_timestamp: "creation_timestamp_ms",
    last_updated_timestamp: "last_updated_timestamp_ms",
  },
};

const registryEntities = { attribute: "attribute", tag: "tag", tags: "tag" } as const;
const registeredModels: Vocabulary = { entities: registryEntities, texts: ["name"], numbers: [], listed: ["name"] };
const modelVersions: Vocabulary = {
  entities: registryEntities,
  texts: ["name", "run_id", "source_path"],
  numbers: ["version_number"],
  listed: ["name", "run_id"],
};

/** MLflow's filter grammar for logged models; mistakes as in `parseRunFilter`. */
export const parseLoggedModelFilter = (text: string): readonly ModelComparison[] => parse(text, loggedModels);

export const parseRegisteredModelFilter = (text: string): readonly ModelComparison[] => parse(text, registeredModels);

export const parseModelVersionFilter = (text: string): readonly ModelComparison[] => parse(text, modelVersions);

/** The attribute or metric that logged models are sorted by; anything else: `INVALID_PARAMETER_VALUE`. */
export function parseLoggedModelOrderField(name: string): ModelField {
  const dot = name.indexOf(".");
  if (dot >= 0) {
    if (name.slice(0, dot) === "metrics") return { entity: "metric", key: name.slice(dot + 1) };
    throw invalidParameter(`Invalid order by field name: ${quoteForMessage(name)}. Only metrics are supported.`);
  }
  const key = loggedModels.aliases?.[name] ?? name;
  if ([...loggedModels.texts, ...loggedModels.numbers].includes(key)) return { entity: "attribute", key };
  throw invalidParameter(`Invalid order by field name: ${quoteForMessage(name)}`);
}

export interface RegistryOrder {
  readonly key: string;
  readonly isDescending: boolean;
}

/** Elements such as `name ASC` over the `known` attributes, each at most once. */
export function parseRegistryOrderBy(elements: readonly string[], known: readonly string[]): readonly RegistryOrder[] {
  const orders = elements.map((element) => parseOrder(element, known));
  const names = orders.map(({ key }) => key);
  if (new Set(names).size < names.length) throw invalidParameter("order_by names a field twice");
  return orders;
}

function parseOrder(element: string, known: readonly string[]): RegistryOrder {
  return namingInput(`order_by ${quoteForMessage(element)}`.trimEnd(), () => {
    const [name, direction, rest] = tokenizeSearch(element);
    const hint = `write one of ${known.join(", ")}, and ASC or DESC`;
    if (name === undefined || name.kind === "end") throw searchSyntaxError("nothing to sort by", 0, hint);
    const { prefix = "attribute", key } = readName(name, hint);
    if (prefix !== "attribute" || !known.includes(key)) {
      throw searchSyntaxError(`cannot sort by ${describeToken(name)}`, name.position, hint);
    }
    const word = direction?.kind === "word" ? direction.text.toUpperCase() : "";
    const isPlain = direction === undefined || direction.kind === "end";
    const extra = isPlain ? undefined : word === "ASC" || word === "DESC" ? rest : direction;
    if (extra !== undefined && extra.kind !== "end") {
      throw searchSyntaxError(`unexpected ${describeToken(extra)}`, extra.position, hint);
    }
    return { key, isDescending: word === "DESC" };
  });
}

function parse(text: string, vocabulary: Vocabulary): readonly ModelComparison[] {
  return namingInput("filter", () =>
    parseFilter(
      text,
      (token) => readField(token, vocabulary),
      (field) => conditionKinds(field, vocabulary),
    ),
  );
}

function readField(token: SearchToken, vocabulary: Vocabulary): ModelField {
  const prefixes = Object.keys(vocabulary.entities);
  const hint = `use ${vocabulary.texts[0] ?? "name"}, or one of ${prefixes.map((prefix) => `${prefix}.KEY`).join(", ")}`;
  const { prefix, key } = readName(token, hint);
  const entity = prefix === undefined ? "attribute" : entityOf(vocabulary, prefix);
  if (entity === undefined) throw unknown(`prefix ${quoteForMessage(prefix ?? "")}.`, token, hint);
  if (entity !== "attribute") {
    if (key === "") throw unknown("empty key", token, hint);
    return { entity, key };
  }
  const name = vocabulary.aliases?.[key] ?? key;
  const known = [...vocabulary.texts, ...vocabulary.numbers];
  if (known.includes(name)) return { entity, key: name };
  throw unknown(`attribute ${quoteForMessage(key)}`, token, `use one of: ${known.join(", ")}`);
}

function entityOf({ entities }: Vocabulary, prefix: string): ModelField["entity"] | undefined {
  return Object.hasOwn(entities, prefix) ? entities[prefix] : undefined;
}

function conditionKinds({ entity, key }: ModelField, { numbers, listed }: Vocabulary): readonly ConditionKind[] {
  if (entity === "metric" || (entity === "attribute" && numbers.includes(key))) return ["number"];
  const canList = listed === "all" || (entity === "attribute" && listed.includes(key));
  return canList ? ["text", "list"] : ["text"];
}

function unknown(what: string, token: SearchToken, hint: string): StoreError {
  return searchSyntaxError(`unknown ${what}`, token.position, hint);
}
