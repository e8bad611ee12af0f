import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { StoreError } from "../../src/errors.ts";
import { parseExperimentOrderBy, parseRunOrderBy } from "../../src/wire/order-by.ts";
import type { ExperimentComparison, RunComparison } from "../../src/wire/search-filter.ts";
import { maxComparisons, parseExperimentFilter, parseRunFilter } from "../../src/wire/search-filter.ts";

/** What MLflow 3.17.2 itself (sqlparse 0.6.1) makes of each text; `null` where it refuses it. */
const answers = JSON.parse(readFileSync(new URL("mlflow-search-answers.json", import.meta.url), "utf8")) as Record<
  "runFilters" | "experimentFilters" | "runOrders" | "experimentOrders",
  Record<string, unknown>
>;

/** Where we know better: accidents of sqlparse that we accept, and nonsense that we refuse. */
const ours: Readonly<Record<string, unknown>> = {
  "metrics.loss = +1": [["metric", "loss", "=", 1]],
  "metrics.loss > 1.5e+3": [["metric", "loss", ">", 1500]],
  "metrics.1 > 1": [["metric", "1", ">", 1]],
  "params.lr IS   NOT   NULL": [["param", "lr", "IS NOT NULL", null]],
  "tags.from = 'x'": [["tag", "from", "=", "x"]],
  "tags.in = 'x'": [["tag", "in", "=", "x"]],
  " ": [],
  "\t": [],
  "\n": [],
  "run_id IN ('it\\\\'s')": [["attribute", "run_id", "IN", ["it\\\\'s"]]],
  "name ilike 'x'": [["attribute", "name", "ILIKE", "x"]],
  "name like 'x%'": [["attribute", "name", "LIKE", "x%"]],
  "creation_time > 1.5": [["attribute", "creation_time", ">", 1.5]],
  "metrics. a > 1": null,
  "tags. = 'x'": null,
  "tags.`` = 'x'": null,
  "run_id IN ('a' 'b')": null,
};

const oursInOrderBy: Readonly<Record<string, unknown>> = {
  " metrics.a": ["metric", "a", true],
  "metrics.a ": ["metric", "a", true],
  "`run name`": ["attribute", "run_name", true],
  '"Run Name" DESC': ["attribute", "run_name", false],
  'metrics.`a"b`': ["metric", 'a"b', true],
  "metrics.1": ["metric", "1", true],
  "metrics.": null,
};

function orRefused<Result>(read: () => Result): Result | null {
  try {
    return read();
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    expect((error as StoreError).errorCode).toBe("INVALID_PARAMETER_VALUE");
    expect((error as StoreError).message).not.toContain("\n");
    expect((error as StoreError).hint).toBeTruthy();
    return null;
  }
}

function flatten({ field, condition }: RunComparison | ExperimentComparison): unknown {
  const value = condition.kind === "list" ? condition.values : condition.kind === "presence" ? null : condition.value;
  return [field.entity, field.key, condition.operator, value];
}

describe("every text is read as MLflow reads it", () => {
  test.each(Object.entries(answers.runFilters))("run filter %j", (text, theirs) => {
    const expected = Object.hasOwn(ours, text) ? ours[text] : theirs;
    expect(orRefused(() => parseRunFilter(text).map(flatten))).toEqual(expected);
  });

  test.each(Object.entries(answers.experimentFilters))("experiment filter %j", (text, theirs) => {
    const expected = Object.hasOwn(ours, text) ? ours[text] : theirs;
    expect(orRefused(() => parseExperimentFilter(text).map(flatten))).toEqual(expected);
  });

  test.each(Object.entries(answers.runOrders))("order_by of runs %j", (text, theirs) => {
    const expected = Object.hasOwn(oursInOrderBy, text) ? oursInOrderBy[text] : theirs;
    const read = (): unknown =>
      parseRunOrderBy([text]).map(({ field, isDescending }) => [field.entity, field.key, !isDescending])[0];
    expect(orRefused(read)).toEqual(expected);
  });

  test.each(Object.entries(answers.experimentOrders))("order_by of experiments %j", (text, theirs) => {
    const read = (): unknown =>
      parseExperimentOrderBy([text]).map(({ attribute, isDescending }) => ["attribute", attribute, !isDescending])[0];
    expect(orRefused(read)).toEqual(theirs);
  });
});

describe("a mistake is named with its place and a right form", () => {
  const errorOf = (parse: () => unknown): StoreError => {
    try {
      parse();
    } catch (error) {
      if (error instanceof StoreError) return error;
      throw error;
    }
    throw new Error("nothing was refused");
  };

  test.each([
    [
      "metrics.loss > 'x'",
      "filter: expected a number after metrics.loss >, found 'x', at character 16",
      "write metrics.loss > 10, without quotes",
    ],
    [
      "status = FINISHED",
      "filter: expected a quoted text after status =, found FINISHED, at character 10",
      "write status = 'text', in quotes",
    ],
    [
      "metrics.val/loss < 1",
      "filter: unexpected / after metrics.val, at character 12",
      "put a key that has special characters in backticks, as in metrics.`val/loss`",
    ],
    [
      "status = 'FAILED' OR status = 'KILLED'",
      "filter: OR is not supported, only AND, at character 19",
      "run one search per alternative",
    ],
    [
      "params.`a b` > '1'",
      "filter: params.`a b` cannot be compared with >, at character 14",
      "params.`a b` can be compared with =, !=, LIKE, ILIKE, IS NULL, IS NOT NULL",
    ],
    ["params.lr = 'x", "filter: quote ' is never closed, at character 13", "close it: '...'"],
    [
      "run_id IN ('a'",
      "filter: expected , or ) in the list after run_id IN, found nothing, at character 15",
      "write run_id IN ('a', 'b')",
    ],
  ])("%j", (text, message, hint) => {
    const error = errorOf(() => parseRunFilter(text));
    expect([error.message, error.hint]).toEqual([message, hint]);
  });

  test("text with line breaks or without an end makes a message of one short line", () => {
    const error = errorOf(() => parseRunFilter(`status\n=\n${"x".repeat(10_000)}`));
    expect(error.message).toContain(`${"x".repeat(57)}...`);
    expect(error.message.length).toBeLessThan(150);
  });

  test("an experiment id is compared as a number only", () => {
    expect(errorOf(() => parseExperimentFilter("experiment_id = 'abc'")).message).toBe(
      "filter: not an experiment id: abc",
    );
    expect(errorOf(() => parseExperimentFilter("experiment_id IN ('1', '')")).message).toContain(
      "not an experiment id",
    );
    expect(errorOf(() => parseExperimentFilter("experiment_id ILIKE '1'")).message).toContain(
      "cannot be compared with ILIKE",
    );
  });

  test("a field named twice in order_by is refused, aliases included", () => {
    expect(errorOf(() => parseRunOrderBy(["created", "attributes.start_time DESC"])).message).toBe(
      "order_by attributes.start_time DESC: the same field stands there before",
    );
    expect(parseRunOrderBy(["metrics.a", "params.a", "tags.a"])).toHaveLength(3);
  });
});

test("a backslash and doubled quotes stay in the value, and the last quote ends it", () => {
  const valueOf = (text: string): unknown => parseRunFilter(text).map(flatten);
  expect(valueOf(String.raw`params.p = 'C:\dir\'`)).toEqual([["param", "p", "=", "C:\\dir\\"]]);
  expect(valueOf(String.raw`params.p = 'it\'s' AND tags.t = 'x'`)).toEqual([
    ["param", "p", "=", String.raw`it\'s`],
    ["tag", "t", "=", "x"],
  ]);
  expect(valueOf("params.p = 'it''s'")).toEqual([["param", "p", "=", "it''s"]]);
  expect(valueOf(`params.p = "it's"`)).toEqual([["param", "p", "=", "it's"]]);
});

test("a number beyond the doubles is infinite, and a filter has a largest size", () => {
  expect(parseRunFilter("metrics.a < 1e400").map(flatten)).toEqual([["metric", "a", "<", Number.POSITIVE_INFINITY]]);
  const filterOf = (count: number): string => Array.from({ length: count }, () => "metrics.a > 1").join(" AND ");
  expect(parseRunFilter(filterOf(maxComparisons))).toHaveLength(maxComparisons);
  expect(() => parseRunFilter(filterOf(maxComparisons + 1))).toThrow("more than 500 comparisons");
});

test("half a million quotes are read in no time", () => {
  const started = performance.now();
  expect(() => parseRunFilter(`params.p = '${"''".repeat(250_000)}'`)).not.toThrow();
  expect(() => parseRunFilter(`params.p = '${"\\'".repeat(250_000)} OR`)).toThrow(StoreError);
  expect(performance.now() - started).toBeLessThan(2000);
});
