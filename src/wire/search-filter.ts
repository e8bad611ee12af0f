import { StoreError } from "../errors.ts";
import type { Condition, ConditionKind } from "./search-filter-conditions.ts";
import { readCondition } from "./search-filter-conditions.ts";
import type { ExperimentField, NamedField, RunField } from "./search-filter-fields.ts";
import { readExperimentField, readRunField } from "./search-filter-fields.ts";
import type { SearchToken } from "./search-filter-tokens.ts";
import { namingInput, quoteForMessage, searchSyntaxError } from "./search-filter-tokens.ts";
import { isWord, TokenReader } from "./search-token-reader.ts";

export interface RunComparison {
  readonly field: RunField;
  readonly condition: Condition;
}

export interface ExperimentComparison {
  readonly field: ExperimentField;
  readonly condition: Condition;
}

/** More comparisons than this are refused: SQLite's expression depth ends at 1,000. */
export const maxComparisons = 500;

/**
 * MLflow's filter grammar for runs; all comparisons must hold, an empty text has none.
 * A mistake is `INVALID_PARAMETER_VALUE`, one line that names the place, with a right form as its hint.
 */
export function parseRunFilter(text: string): readonly RunComparison[] {
  return namingInput("filter", () => parseFilter(text, readRunField, runConditionKinds));
}

/** MLflow's filter grammar for experiments; as `parseRunFilter`. */
export function parseExperimentFilter(text: string): readonly ExperimentComparison[] {
  return namingInput("filter", () => {
    const comparisons = parseFilter(text, readExperimentField, experimentConditionKinds);
    for (const comparison of comparisons) checkExperimentId(comparison);
    return comparisons;
  });
}

/** An experiment's id is a number in SQL, so it is compared as one: no patterns, only digits. */
function checkExperimentId({ field, condition }: ExperimentComparison): void {
  if (field.entity !== "attribute" || field.key !== "experiment_id") return;
  const hint = "write experiment_id = '1' or experiment_id IN ('1', '2')";
  if (condition.operator === "LIKE" || condition.operator === "ILIKE") {
    throw new StoreError("INVALID_PARAMETER_VALUE", `experiment_id cannot be compared with ${condition.operator}`, {
      hint,
    });
  }
  const values = condition.kind === "text" ? [condition.value] : condition.kind === "list" ? condition.values : [];
  const wrong = values.find((value) => !/^[0-9]{1,18}$/u.test(value));
  if (wrong === undefined) return;
  throw new StoreError("INVALID_PARAMETER_VALUE", `not an experiment id: ${quoteForMessage(wrong)}`, { hint });
}

function runConditionKinds(field: RunField): readonly ConditionKind[] {
  switch (field.entity) {
    case "metric":
      return ["number"];
    case "param":
    case "tag":
      return ["text", "presence"];
    case "dataset":
      return ["text", "list"];
    case "attribute":
      if (field.key === "start_time" || field.key === "end_time") return ["number"];
      return field.key === "run_id" ? ["text", "list"] : ["text"];
  }
}

function experimentConditionKinds(field: ExperimentField): readonly ConditionKind[] {
  if (field.entity === "tag") return ["text", "presence"];
  if (field.key === "creation_time" || field.key === "last_update_time") return ["number"];
  return field.key === "experiment_id" ? ["text", "list"] : ["text"];
}

/** Comparisons joined by AND, of the fields that `readField` knows; as `parseRunFilter`, but for the name of the input. */
export function parseFilter<Field extends NamedField>(
  text: string,
  readField: (token: SearchToken) => Field,
  conditionKinds: (field: Field) => readonly ConditionKind[],
): readonly { readonly field: Field; readonly condition: Condition }[] {
  const reader = new TokenReader(text);
  const comparisons: { readonly field: Field; readonly condition: Condition }[] = [];
  reader.skipAnds();
  while (reader.current.kind !== "end") {
    refuseNonSql(reader.current);
    if (comparisons.length === maxComparisons) {
      throw searchSyntaxError(`more than ${maxComparisons} comparisons`, reader.current.position);
    }
    const field = readField(reader.take());
    comparisons.push({ field, condition: readCondition(reader, field, conditionKinds(field)) });
    reader.skipAnds();
  }
  return comparisons;
}

/** Names what users try and MLflow does not have, where a plain "unexpected" would puzzle them. */
function refuseNonSql(token: SearchToken): void {
  if (isWord(token, "OR"))
    throw searchSyntaxError("OR is not supported, only AND", token.position, "run one search per alternative");
  if (isWord(token, "NOT")) {
    throw searchSyntaxError("NOT is not supported here", token.position, "use !=, NOT IN or IS NOT NULL");
  }
  if (token.text === "(" || token.text === ")") {
    throw searchSyntaxError("brackets are not supported", token.position, "join comparisons with AND");
  }
  if (token.kind === "mark") {
    throw searchSyntaxError(`unexpected ${token.text}`, token.position, "join comparisons with AND");
  }
}
