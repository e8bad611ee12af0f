import { StoreError } from "../errors.ts";
import type { ExperimentAttribute, ExperimentField, RunField } from "./search-filter-fields.ts";
import { readExperimentField, readRunField } from "./search-filter-fields.ts";
import type { SearchToken } from "./search-filter-tokens.ts";
import {
  describeToken,
  namingInput,
  quoteForMessage,
  searchSyntaxError,
  tokenizeSearch,
} from "./search-filter-tokens.ts";

export interface RunOrder {
  readonly field: Exclude<RunField, { readonly entity: "dataset" }>;
  readonly isDescending: boolean;
}

export interface ExperimentOrder {
  readonly attribute: ExperimentAttribute;
  readonly isDescending: boolean;
}

/** As many as SQLite's limit of 64 joined tables surely carries. */
const maxElements = 60;

const runHint = "write a field and ASC or DESC: metrics.loss ASC, or metrics.`val/loss` DESC";
const experimentHint = "write a field and ASC or DESC: name ASC";

/** Elements such as `metrics.loss ASC`. Datasets and a field named twice are refused, as all mistakes, with `INVALID_PARAMETER_VALUE`. */
export function parseRunOrderBy(elements: readonly string[]): readonly RunOrder[] {
  const seen = new Set<string>();
  return checkCount(elements).map((element) => {
    const { field, isDescending } = parseElement(element, readRunField, runHint);
    if (field.entity === "dataset") throw invalidOrderBy(element, "runs cannot be sorted by a dataset", runHint);
    const name = `${field.entity}.${field.key}`;
    if (seen.has(name)) throw invalidOrderBy(element, "the same field stands there before", "name each field once");
    seen.add(name);
    return { field, isDescending };
  });
}

/** Elements such as `name ASC`; only attributes, a tag is refused. */
export function parseExperimentOrderBy(elements: readonly string[]): readonly ExperimentOrder[] {
  return checkCount(elements).map((element) => {
    const { field, isDescending } = parseElement(element, readExperimentField, experimentHint);
    if (field.entity === "tag") throw invalidOrderBy(element, "experiments cannot be sorted by a tag", experimentHint);
    return { attribute: field.key, isDescending };
  });
}

function parseElement<Field extends RunField | ExperimentField>(
  element: string,
  readField: (token: SearchToken) => Field,
  hint: string,
): { readonly field: Field; readonly isDescending: boolean } {
  return namingInput(`order_by ${quoteForMessage(element)}`.trimEnd(), () => {
    const [name, direction, rest] = tokenizeSearch(element);
    if (name === undefined || name.kind === "end") throw searchSyntaxError("nothing to sort by", 0, hint);
    const field = readField(name);
    if (direction === undefined || direction.kind === "end") return { field, isDescending: false };
    const word = direction.kind === "word" ? direction.text.toUpperCase() : "";
    const wrong = word !== "ASC" && word !== "DESC" ? direction : rest;
    if (wrong !== undefined && wrong.kind !== "end") {
      throw searchSyntaxError(`unexpected ${describeToken(wrong)}`, wrong.position, hint);
    }
    return { field, isDescending: word === "DESC" };
  });
}

function invalidOrderBy(element: string, why: string, hint: string): StoreError {
  return new StoreError("INVALID_PARAMETER_VALUE", `order_by ${quoteForMessage(element)}: ${why}`, { hint });
}

function checkCount(elements: readonly string[]): readonly string[] {
  if (elements.length <= maxElements) return elements;
  throw new StoreError("INVALID_PARAMETER_VALUE", `more than ${maxElements} fields in order_by`);
}
