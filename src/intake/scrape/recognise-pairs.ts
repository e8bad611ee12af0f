import { isPercentName, kindOfName, splitName, splitWords, stepUnitOf, type WordKind } from "./metric-words.ts";
import { findNumberPairs, isModified, type NumberPair } from "./number-pairs.ts";
import type { Finding, ScrapedMetric } from "./scraped.ts";
import { type Progress, noteProgress, type StepCounter } from "./step-counter.ts";
import { memoize } from "../../util/memoize.ts";
import { toMetricName } from "../metric-name.ts";

/** Dumps of arguments and configurations, shell prompts, source code, tracebacks, options of commands. */
const noMetrics =
  /\bNamespace\(|\b(?:args?|arguments?|config\w*|hparams|hyper-?param\w*|options|settings|kwargs|usage|defaults?)\b ?[:=({[]|(?:^|\s)-{1,2}[A-Za-z][\w-]*[= ]|^\s*(?:[$>#]|>>>|\.\.\.|\+)\s|^\s*File "|^\s*(?:def|class|import|from|return|if|elif|while|assert|raise|print|export|set)\b|https?:\/\/|;$|[{}]$|==|:=/iu;
const wordsAllowed = { withStep: 8, without: 3 };

/** A line that says metrics by `name: number`, `name=number`, or, beside an epoch or step, `name number`. */
export function recognisePairs(message: string, counter: StepCounter): Finding | undefined {
  if (noMetrics.test(message)) return undefined;
  const pairs = findNumberPairs(message);
  if (pairs.length === 0) return undefined;
  const progress: Progress = {};
  const rest: NumberPair[] = [];
  for (const [index, pair] of pairs.entries()) if (!noteProgress(progress, pair, pairs[index - 1])) rest.push(pair);
  const hasStep = progress.epoch !== undefined || progress.step !== undefined;
  if (looseWords(message, pairs) > (hasStep ? wordsAllowed.withStep : wordsAllowed.without)) return undefined;
  const metrics = selectMetrics(message, rest, hasStep);
  if (metrics.length === 0) return undefined;
  const step = counter.stepOf(progress);
  return { metrics, by: "pairs", ...(step !== undefined && { step }) };
}

function selectMetrics(message: string, pairs: readonly NumberPair[], hasStep: boolean): readonly ScrapedMetric[] {
  const taken = pairs.filter((pair) => isMetric(pair, hasStep) && !isWithinCall(message, pair.start));
  const isSure = hasStep ? taken.length > 0 : taken.some((pair) => kindOfName(pair.name) !== "companion");
  if (!isSure) return [];
  const split = leadingSplit(message);
  return taken.flatMap((pair): ScrapedMetric[] => {
    const key = keyOf(pair.name, split);
    return key === undefined ? [] : [[key, pair.value]];
  });
}

/** Whether a named number is a metric; `hasStep`: the line says where the training is. */
export function isMetric(pair: NumberPair, hasStep: boolean): boolean {
  if (pair.name === "" || pair.total !== undefined || pair.separator === "[") return false;
  if (pair.isPercent && !isPercentName(pair.name)) return false;
  const kind = kindOfName(pair.name);
  if (pair.separator === " ") return hasStep && kind === "strong" && isModified(pair.name);
  const hasFraction = !/^[-+]?\d+$/u.test(pair.text);
  // An epoch that is no whole number: `Epoch: 0.53`.
  if (stepUnitOf(pair.name) !== undefined) return hasStep && hasFraction;
  return suits(kind, hasFraction, hasStep);
}

function suits(kind: WordKind, hasFraction: boolean, hasStep: boolean): boolean {
  switch (kind) {
    case "strong":
    case "companion":
      return true;
    case "weak":
      return hasFraction;
    case "other":
      return hasStep && hasFraction;
    case "denied":
      return false;
  }
}

/** The name under which a metric is stored: blanks become `_`, and the line's `train` or `val` is put before it. */
export function keyOf(name: string, split?: string): string | undefined {
  return split === undefined || saysSplit(name) ? plainKey(name) : plainKey(`${split}_${name}`);
}

const saysSplit = memoize((name) => splitName(name).some((word) => splitWords.has(word)));

const plainKey = memoize((name) =>
  toMetricName(
    name
      .trim()
      .replaceAll(/[’']s (?=\w)/gu, "-")
      .replaceAll(/\.?\s+/gu, "_"),
  ),
);

/** `[val] loss: 0.3`, `Train Epoch: 1 ... Loss: 2.3`, `Test set: Average loss: 0.03`. */
function leadingSplit(message: string): string | undefined {
  const found = /^[[(<*=\s-]*([A-Za-z]+)\b(?![_/.@=])/u.exec(message)?.[1];
  return found !== undefined && splitWords.has(found.toLowerCase()) ? found : undefined;
}

/** `AdamW(lr=0.001, eps=1e-08)` describes an object. */
function isWithinCall(message: string, at: number): boolean {
  const open = message.lastIndexOf("(", at);
  const close = message.indexOf(")", open);
  if (open <= 0 || (close !== -1 && close < at)) return false;
  return /\w/u.test(message.charAt(open - 1));
}

/** Words that belong to no pair: a sentence has many. */
function looseWords(message: string, pairs: readonly NumberPair[]): number {
  let count = 0;
  let from = 0;
  for (const { start, end } of [...pairs, { start: message.length, end: message.length }]) {
    count += message.slice(from, start).match(/(?<![\w/])[A-Za-z]{2,}/gu)?.length ?? 0;
    from = end;
  }
  return count;
}
