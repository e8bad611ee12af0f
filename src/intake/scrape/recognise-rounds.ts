import { toMetricName } from "../metric-name.ts";
import { toNumber } from "./number-pairs.ts";
import type { Finding, ScrapedMetric } from "./scraped.ts";

const number = String.raw`[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|nan|[-+]?inf`;
const line = /^\[(\d{1,9})\]\s+(?=\S)/u;
/** XGBoost: `train-rmse:0.5`, of cross validation `train-rmse:0.5+0.1`. LightGBM: `valid_0's l2: 0.5`, `cv_agg's l2: 0.5 + 0.1`. */
const score = new RegExp(
  String.raw`^\s*(?:([\w@.-]+(?: [\w@.-]+)?)'s ([\w@.-]+)\s*:|([\w@.-]+)\s*:)\s*(${number})(?:\s*\+\s*(${number}))?(?=\s|$)`,
  "iu",
);
/** CatBoost: `10:	learn: 0.61	test: 0.6	best: 0.6 (10)	total: 5ms	remaining: 4ms`. */
const catboostLine = /^(\d{1,9}):\t(?=(?:learn|test)\d*: )/u;
const catboostScore = new RegExp(String.raw`^(learn|test\d*): (${number})$`, "iu");

/** One boosting round of XGBoost, LightGBM or CatBoost. */
export function recogniseRound(text: string): Finding | undefined {
  const found = line.exec(text);
  if (found !== null) return finding("round", found, readScores(text.slice(found[0].length)));
  const catboost = catboostLine.exec(text);
  if (catboost === null) return undefined;
  const metrics = text.split("\t").flatMap((part): ScrapedMetric[] => {
    const [, name, value] = catboostScore.exec(part) ?? [];
    return name === undefined || value === undefined ? [] : [[name, toNumber(value)]];
  });
  return finding("round", catboost, metrics);
}

function readScores(text: string): readonly ScrapedMetric[] {
  const metrics: ScrapedMetric[] = [];
  for (const part of text.split("\t")) {
    const [, data, metric, whole, value = "", deviation] = score.exec(part) ?? [];
    if (whole?.includes("-") === false) return [];
    const key = toMetricName(data === undefined ? (whole ?? "") : `${data}-${metric ?? ""}`);
    if (key === undefined || value === "") return [];
    metrics.push([key, toNumber(value)]);
    if (deviation !== undefined) metrics.push([`${key}-std`, toNumber(deviation)]);
  }
  return metrics;
}

function finding(by: string, [, round]: RegExpExecArray, metrics: readonly ScrapedMetric[]): Finding | undefined {
  return metrics.length === 0 ? undefined : { by, metrics, step: Number(round) };
}
