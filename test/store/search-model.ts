import type { ModelRun, Random } from "./search-data.ts";
import { datasetTexts, metricKeys, metricValues, pairKeys, pick, statuses, texts } from "./search-data.ts";

/** A comparison with its text and, told without any parser or SQL, which runs it holds for. */
export interface ModelComparison {
  readonly text: string;
  readonly holds: (run: ModelRun) => boolean;
}

export interface ModelOrder {
  readonly text: string;
  readonly compare: (left: ModelRun, right: ModelRun) => number;
}

const numberOperators: Readonly<Record<string, (left: number, right: number) => boolean>> = {
  "=": (left, right) => left === right,
  "!=": (left, right) => left !== right,
  "<": (left, right) => left < right,
  "<=": (left, right) => left <= right,
  ">": (left, right) => left > right,
  ">=": (left, right) => left >= right,
};

const textOperators: Readonly<Record<string, (left: string, right: string) => boolean>> = {
  "=": (left, right) => left === right,
  "!=": (left, right) => left !== right,
  LIKE: (left, right) => isLike(left, right),
  ILIKE: (left, right) => isLike(lowerAscii(left), lowerAscii(right)),
};

export function makeComparison(random: Random, runs: readonly ModelRun[]): ModelComparison {
  return pick(random, [metric, pair, pair, presence, textAttribute, runIds, timeAttribute, dataset])(random, runs);
}

function metric(random: Random): ModelComparison {
  const key = pick(random, metricKeys);
  const operator = pick(random, Object.keys(numberOperators));
  const value = pick(random, metricValues.filter(Number.isFinite));
  const test = numberOperators[operator] as (left: number, right: number) => boolean;
  return {
    text: `${pick(random, ["metrics", "metric", "`metrics`"])}.${quoteKey(random, key)} ${operator} ${value}`.replace(
      "e+",
      "e",
    ),
    holds: (run) => {
      const present = run.metrics.get(key);
      return present !== undefined && test(present, value);
    },
  };
}

function pair(random: Random): ModelComparison {
  const [prefix, field] = pick(random, [
    ["params", "params"],
    ["parameter", "params"],
    ["tags", "tags"],
    ["tag", "tags"],
  ] as const);
  const key = pick(random, pairKeys);
  const { text, test } = textCondition(random, texts);
  return {
    text: `${prefix}.${quoteKey(random, key)} ${text}`,
    holds: (run) => {
      const present = run[field].get(key);
      return present !== undefined && present !== null && test(present);
    },
  };
}

function presence(random: Random): ModelComparison {
  const field = pick(random, ["params", "tags"] as const);
  const key = pick(random, pairKeys);
  const isNull = random() < 0.5;
  const words = pick(random, isNull ? ["IS NULL", "is null"] : ["IS NOT NULL", "is not null"]);
  return { text: `${field}.${quoteKey(random, key)} ${words}`, holds: (run) => run[field].has(key) !== isNull };
}

function textAttribute(random: Random): ModelComparison {
  const [name, read, values] = pick(random, [
    ["status", (run: ModelRun) => run.status, [...statuses, "F%", "f%"]],
    ["attributes.status", (run: ModelRun) => run.status, statuses],
    ["user_id", (run: ModelRun) => run.userId, ["ann", "Bob", "b%", ""]],
    ["run_name", (run: ModelRun) => run.tags.get("mlflow.runName"), texts],
    ['attr."Run name"', (run: ModelRun) => run.tags.get("mlflow.runName"), texts],
    [
      "artifact_uri",
      (run: ModelRun) => `/mlruns/${run.experimentId}/${run.runId}/artifacts`,
      ["/mlruns/1/%", "/MLRUNS/2/%"],
    ],
  ] as const);
  const { text, test } = textCondition(random, values);
  return {
    text: `${name} ${text}`,
    holds: (run) => {
      const value = read(run);
      return value !== undefined && value !== null && test(value);
    },
  };
}

function runIds(random: Random, runs: readonly ModelRun[]): ModelComparison {
  const ids = [pick(random, runs), pick(random, runs), pick(random, runs)].map((run) => run.runId);
  const isNot = random() < 0.6;
  const list = `(${ids.map((id) => `'${id}'`).join(", ")})`;
  return { text: `run_id ${isNot ? "NOT IN" : "in"} ${list}`, holds: (run) => ids.includes(run.runId) !== isNot };
}

function timeAttribute(random: Random): ModelComparison {
  const [name, field] = pick(random, [
    ["start_time", "startTime"],
    ["attribute.created", "startTime"],
    ["end_time", "endTime"],
  ] as const);
  const operator = pick(random, Object.keys(numberOperators));
  const value = (field === "startTime" ? 1_700_000_000_000 : 1_700_000_001_000) + pick(random, [0, 1, 2]);
  const test = numberOperators[operator] as (left: number, right: number) => boolean;
  return {
    text: `${name} ${operator} ${value}`,
    holds: (run) => {
      const present = run[field];
      return present !== null && test(present, value);
    },
  };
}

function dataset(random: Random): ModelComparison {
  const field = pick(random, ["name", "digest", "context"] as const);
  const values = { name: datasetTexts, digest: ["d1", "d2", "D%"], context: ["train", "eval", "t%"] }[field];
  const read = (run: ModelRun): readonly string[] =>
    run.datasets.map((one) => one[field]).filter((value) => value !== undefined);
  if (random() < 0.3) {
    const value = pick(random, values);
    const isNot = random() < 0.5;
    return {
      text: `datasets.${field} ${isNot ? "NOT IN" : "IN"} ('${value}', "other")`,
      holds: (run) => read(run).some((one) => (one === value) !== isNot),
    };
  }
  const { text, test } = textCondition(random, values);
  return { text: `dataset.${field} ${text}`, holds: (run) => read(run).some(test) };
}

function textCondition(
  random: Random,
  values: readonly string[],
): { readonly text: string; readonly test: (value: string) => boolean } {
  const operator = pick(random, Object.keys(textOperators));
  const value = pick(random, values);
  const pattern = operator.endsWith("LIKE") ? pick(random, [value, `${value}%`, `%${value}%`, "_%", "_", "%"]) : value;
  const test = textOperators[operator] as (left: string, right: string) => boolean;
  const quoted = pattern.includes("'") ? `"${pattern}"` : `'${pattern}'`;
  return { text: `${operator} ${quoted}`, test: (present) => test(present, pattern) };
}

export function makeOrder(random: Random): ModelOrder {
  const isDescending = random() < 0.5;
  const direction = isDescending ? " DESC" : pick(random, ["", " ASC"]);
  const kind = pick(random, ["metric", "param", "tag", "attribute"] as const);
  if (kind === "attribute") {
    const [name, read] = pick(random, [
      ["start_time", (run: ModelRun) => run.startTime],
      ["attributes.end_time", (run: ModelRun) => run.endTime],
      ["status", (run: ModelRun) => run.status],
      ["run_name", (run: ModelRun) => run.tags.get("mlflow.runName") ?? ""],
      ["user_id", (run: ModelRun) => run.userId],
    ] as const);
    return { text: `${name}${direction}`, compare: byValue(read, isDescending) };
  }
  const key = pick(random, kind === "metric" ? metricKeys : pairKeys);
  const read = (run: ModelRun): string | number | null => {
    const values: ReadonlyMap<string, string | number | null> =
      kind === "metric" ? run.metrics : kind === "param" ? run.params : run.tags;
    return values.get(key) ?? null;
  };
  return { text: `${kind}s.\`${key}\`${direction}`, compare: byValue(read, isDescending) };
}

/** Numbers and texts, then NaN, then missing ones, whatever the direction. */
function byValue(
  read: (run: ModelRun) => string | number | null,
  isDescending: boolean,
): (left: ModelRun, right: ModelRun) => number {
  const rank = (value: string | number | null): number => (value === null ? 2 : Number.isNaN(value) ? 1 : 0);
  return (leftRun, rightRun) => {
    const left = read(leftRun);
    const right = read(rightRun);
    if (rank(left) !== rank(right) || rank(left) > 0) return rank(left) - rank(right);
    const sign =
      typeof left === "number" && typeof right === "number"
        ? left - right
        : Buffer.compare(Buffer.from(String(left)), Buffer.from(String(right)));
    return isDescending ? -sign : sign;
  };
}

/** MLflow's order: the elements first, then start_time DESC, then run_id. */
export function sortModelRuns(runs: readonly ModelRun[], orders: readonly ModelOrder[]): readonly ModelRun[] {
  const compare = (left: ModelRun, right: ModelRun): number => {
    for (const order of orders) {
      const sign = order.compare(left, right);
      if (sign !== 0) return sign;
    }
    return right.startTime - left.startTime || (left.runId < right.runId ? -1 : 1);
  };
  return runs.toSorted(compare);
}

function quoteKey(random: Random, key: string): string {
  const quoted = [`\`${key}\``, `"${key}"`];
  return /^[\w.]+$/u.test(key) && key !== "from" ? pick(random, [key, ...quoted]) : pick(random, quoted);
}

function isLike(value: string, pattern: string): boolean {
  const source = pattern
    .replaceAll(/[\\^$.*+?()[\]{}|]/gu, "\\$&")
    .replaceAll("%", "[^]*")
    .replaceAll("_", "[^]");
  return new RegExp(`^${source}$`, "u").test(value);
}

function lowerAscii(text: string): string {
  return text.replaceAll(/[A-Z]/gu, (letter) => letter.toLowerCase());
}
