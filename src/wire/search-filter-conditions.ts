import type { NamedField } from "./search-filter-fields.ts";
import { describeField } from "./search-filter-fields.ts";
import type { SearchToken } from "./search-filter-tokens.ts";
import { describeToken, searchSyntaxError } from "./search-filter-tokens.ts";
import type { TokenReader } from "./search-token-reader.ts";

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

export type ConditionKind = Condition["kind"];

/**
 * Reads the operator and the value behind a field; `kinds` says which the field allows.
 * Anything else: `INVALID_PARAMETER_VALUE`.
 */
export function readCondition(reader: TokenReader, field: NamedField, kinds: readonly ConditionKind[]): Condition {
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

function wrongOperator(token: SearchToken, field: NamedField, kinds: readonly ConditionKind[]): Error {
  const name = describeField(field);
  const hint = `${name} can be compared with ${kinds.flatMap((kind) => operatorsOf[kind]).join(", ")}`;
  if (token.kind === "end") return searchSyntaxError(`nothing compares ${name}`, token.position, hint);
  if (token.kind === "mark") {
    const quoted = "put a key that has special characters in backticks, as in metrics.`val/loss`";
    return searchSyntaxError(`unexpected ${token.text} after ${name}`, token.position, quoted);
  }
  return searchSyntaxError(`${name} cannot be compared with ${describeToken(token)}`, token.position, hint);
}

function readNumber(reader: TokenReader, field: NamedField, operator: string): number {
  const token = reader.take();
  if (token.kind === "number") return token.value;
  const name = describeField(field);
  const message = `expected a number after ${name} ${operator}, found ${describeToken(token)}`;
  throw searchSyntaxError(message, token.position, `write ${name} ${operator} 10, without quotes`);
}

function readText(reader: TokenReader, field: NamedField, operator: string): string {
  const token = reader.take();
  if (token.kind === "quoted" && token.quote !== "`") return token.value;
  const name = describeField(field);
  const message = `expected a quoted text after ${name} ${operator}, found ${describeToken(token)}`;
  throw searchSyntaxError(message, token.position, `write ${name} ${operator} 'text', in quotes`);
}

/** `('a', 'b')`; a comma after the last one is allowed. */
function readList(reader: TokenReader, field: NamedField, operator: string): readonly string[] {
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
