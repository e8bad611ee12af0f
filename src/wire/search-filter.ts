import { StoreError } from "../errors.ts";
import type { ExperimentField, RunField } from "./search-filter-fields.ts";
import { describeField, readExperimentField, readRunField } from "./search-filter-fields.ts";
import type { SearchToken } from "./search-filter-tokens.ts";
import {
  describeToken,
  namingInput,
  quoteForMessage,
  searchSyntaxError,
  tokenizeSearch,
} from "./search-filter-tokens.ts";

export type NumberOperator = "=" | "!=" | "<" | "<=" | ">" | ">=";
export type TextOperator = "=" | "!=" | "LIKE" | "ILIKE";

/** What must hold for a field's value. A missing value fulfils only `IS NULL`. */
export type Condition =
  | { readonly kind: "number"; readonly operator: NumberOperator; readonly value: number }
  /** `LIKE` and `ILIKE` know `%` and `_` and no escape; `ILIKE` ignores the case of ASCII letters. */
  | { readonly kind: "text"; readonly operator: TextOperator; readonly value: string }
  /** `values` is never empty. */
  | { readonly kind: "list"; readonly operator: "IN" | "NOT IN"; readonly values: readonly string[] }
  | { readonly kind: "presence"; readonly operator: "IS NULL" | "IS NOT NULL" };

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

type ConditionKind = Condition["kind"];

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

function parseFilter<Field extends RunField | ExperimentField>(
  text: string,
  readField: (token: SearchToken) => Field,
  conditionKinds: (field: Field) => readonly ConditionKind[],
): readonly { readonly field: Field; readonly condition: Condition }[] {
  const reader = new TokenReader(tokenizeSearch(text));
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

function readCondition(
  reader: TokenReader,
  field: RunField | ExperimentField,
  kinds: readonly ConditionKind[],
): Condition {
  const token = reader.current;
  const kind = kinds.find((one) => operatorsOf[one].some((operator) => startsOperator(reader, operator)));
  if (kind === undefined) throw wrongOperator(token, field, kinds);
  const operator = readOperator(reader, operatorsOf[kind]);
  switch (kind) {
    case "number":
      return { kind, operator: operator as NumberOperator, value: readNumber(reader, field, operator) };
    case "text":
      return { kind, operator: operator as TextOperator, value: readText(reader, field, operator) };
    case "list":
      return { kind, operator: operator as "IN" | "NOT IN", values: readList(reader, field, operator) };
    case "presence":
      return { kind, operator: operator as "IS NULL" | "IS NOT NULL" };
  }
}

const operatorsOf: Readonly<Record<ConditionKind, readonly string[]>> = {
  number: ["=", "!=", "<", "<=", ">", ">="],
  text: ["=", "!=", "LIKE", "ILIKE"],
  list: ["IN", "NOT IN"],
  presence: ["IS NULL", "IS NOT NULL"],
};

function startsOperator(reader: TokenReader, operator: string): boolean {
  return operator.split(" ").every((word, index) => reader.peek(index).text.toUpperCase() === word);
}

function readOperator(reader: TokenReader, operators: readonly string[]): string {
  const operator = operators.find((one) => startsOperator(reader, one)) ?? "";
  for (let count = operator.split(" ").length; count > 0; count -= 1) reader.take();
  return operator;
}

function wrongOperator(token: SearchToken, field: RunField | ExperimentField, kinds: readonly ConditionKind[]): Error {
  const name = describeField(field);
  const hint = `${name} can be compared with ${kinds.flatMap((kind) => operatorsOf[kind]).join(", ")}`;
  if (token.kind === "end") return searchSyntaxError(`nothing compares ${name}`, token.position, hint);
  if (token.kind === "mark") {
    const quoted = "put a key that has special characters in backticks, as in metrics.`val/loss`";
    return searchSyntaxError(`unexpected ${token.text} after ${name}`, token.position, quoted);
  }
  return searchSyntaxError(`${name} cannot be compared with ${describeToken(token)}`, token.position, hint);
}

function readNumber(reader: TokenReader, field: RunField | ExperimentField, operator: string): number {
  const token = reader.take();
  if (token.kind === "number") return token.value;
  const name = describeField(field);
  const message = `expected a number after ${name} ${operator}, found ${describeToken(token)}`;
  throw searchSyntaxError(message, token.position, `write ${name} ${operator} 10, without quotes`);
}

function readText(reader: TokenReader, field: RunField | ExperimentField, operator: string): string {
  const token = reader.take();
  if (token.kind === "quoted" && token.quote !== "`") return token.value;
  const name = describeField(field);
  const message = `expected a quoted text after ${name} ${operator}, found ${describeToken(token)}`;
  throw searchSyntaxError(message, token.position, `write ${name} ${operator} 'text', in quotes`);
}

/** `('a', 'b')`; a comma after the last one is allowed. */
function readList(reader: TokenReader, field: RunField | ExperimentField, operator: string): readonly string[] {
  const values: string[] = [];
  const fail = (what: string): Error => {
    const token = reader.current;
    const name = describeField(field);
    const message = `expected ${what} in the list after ${name} ${operator}, found ${describeToken(token)}`;
    return searchSyntaxError(message, token.position, `write ${name} ${operator} ('a', 'b')`);
  };
  if (!reader.isAt("(")) throw fail("(");
  reader.take();
  while (!reader.isAt(")")) {
    const token = reader.current;
    if (token.kind !== "quoted" || token.quote === "`") throw fail("a quoted text");
    values.push(token.value);
    reader.take();
    if (reader.isAt(",")) reader.take();
    else if (!reader.isAt(")")) throw fail(", or )");
  }
  if (values.length === 0) throw fail("a quoted text");
  reader.take();
  return values;
}

class TokenReader {
  private readonly tokens: readonly SearchToken[];
  private index = 0;

  constructor(tokens: readonly SearchToken[]) {
    this.tokens = tokens;
  }

  get current(): SearchToken {
    return this.peek(0);
  }

  /** The token `ahead` of the current one; past the end, the end. */
  peek(ahead: number): SearchToken {
    const token = this.tokens[Math.min(this.index + ahead, this.tokens.length - 1)];
    if (token === undefined) throw new RangeError("a token list holds at least its end");
    return token;
  }

  isAt(mark: string): boolean {
    return this.current.kind === "mark" && this.current.text === mark;
  }

  take(): SearchToken {
    const token = this.current;
    this.index += 1;
    return token;
  }

  /** MLflow takes any number of ANDs between, before and behind comparisons, none included. */
  skipAnds(): void {
    while (isWord(this.current, "AND")) this.index += 1;
  }
}

function isWord(token: SearchToken, word: string): boolean {
  return token.kind === "word" && token.text.toUpperCase() === word;
}
