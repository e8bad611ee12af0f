import { isPercentName, kindOfName, splitName, splitWords, stepUnitOf } from "./metric-words.ts";
import { findNumberPairs, toNumber } from "./number-pairs.ts";
import { isMetric, keyOf } from "./recognise-pairs.ts";
import type { ScrapedMetric } from "./scraped.ts";

/** One drawing of a progress bar. */
export interface BarState {
  readonly style: "tqdm" | "keras" | "rich";
  /** What stands before the bar. */
  readonly title: string;
  /** In the title: `Epoch 3`, `Epoch 3/10`. */
  readonly epoch?: number;
  readonly done: number;
  /** Absent where the bar knows no end. */
  readonly total?: number;
  readonly metrics: readonly ScrapedMetric[];
}

const amount = String.raw`(\d+(?:\.\d+)?[kMGT]?)`;
const tqdm = new RegExp(
  String.raw`^(.*?)(?<![\d.])\d{1,3}%\s?\|[^|]*\|\s*${amount}/${amount}\s*\[([^\]]*)\](.*)$`,
  "u",
);
const endlessTqdm = new RegExp(String.raw`^(?:(.*?):\s*)?${amount}[A-Za-z]+ \[(\d+:\d\d[^\]]*)\](.*)$`, "u");
/** Ultralytics' own: `640: 100% ━━━━━━━━━━━━ 8/8 2.5it/s 3.2s`. */
const plainBar = /^(.*?):?\s+\d{1,3}%[ |━─╸╺\-=>#█▏▎▍▌▋▊▉]*(\d+)\/(\d+)\s+(\S.*)$/u;
const keras =
  /^\s*(\d+)\/(\d+|Unknown|None)\s+(?:\[[=>.]*\]|[━─╸╺]+)?\s*(?:-\s+)?(?:ETA:\s*)?(?:\d[\w:.]*)\s*(?:-\s+)?(?:\d+[mun]?s\/(?:step|epoch|sample))?((?:\s*-\s+[^:]+:\s*\S+)*)\s*$/u;
const rich =
  /^([A-Za-z][\w ]*?(?: \d+\/(?:\d+|-\d))?)\s+[━╸╺\s]*\s(\d+)\/(\d+)\s+\d+:\d\d:\d\d\s+[•·]\s+[-\d:]+\s+([\d.]+it\/s)?(.*)$/u;
const hasBar =
  /%\s?\||\d%[^%]*[━█─]|\[\d+:\d\d|\d\/(?:\d+|Unknown|None)\s+(?:[━╸╺]|\[[=>.]|- )|[━╸╺]\s*\d+\/|\|\s*\d+\/\?\s*\[/u;

/** Whether a line may be a progress bar; most are ruled out by this. */
export const mayBeBar = (text: string): boolean => hasBar.test(text);

/** What a progress bar of tqdm, Keras, Lightning or Ultralytics shows; `undefined` where that cannot be read. */
export function readBar(text: string): BarState | undefined {
  return readTqdm(text) ?? readKeras(text) ?? readRich(text) ?? readPlain(text);
}

function readTqdm(text: string): BarState | undefined {
  const found = tqdm.exec(text);
  if (found !== null) {
    const [, title = "", done = "", total = "", inside = "", behind = ""] = found;
    return barOf("tqdm", title, { done: toAmount(done), total: toAmount(total), metrics: postfix(inside, behind) });
  }
  const endless = endlessTqdm.exec(text);
  if (endless === null) return undefined;
  const [, title = "", done = "", inside = "", behind = ""] = endless;
  return barOf("tqdm", title, { done: toAmount(done), metrics: postfix(inside, behind) });
}

function readKeras(text: string): BarState | undefined {
  const [, done, total, tail] = keras.exec(text) ?? [];
  if (done === undefined || tail === undefined) return undefined;
  const metrics = Array.from(
    tail.matchAll(/\s-\s+([^:]+?):\s*(\S+)/gu),
    ([, name = "", value = ""]) => [name, value] as const,
  );
  const end = Number(total);
  return {
    style: "keras",
    title: "",
    done: Number(done),
    ...(Number.isFinite(end) && { total: end }),
    metrics: metrics.flatMap(([name, value]) => metricOf(name, value)),
  };
}

function readRich(text: string): BarState | undefined {
  const [, title, done, total, , tail] = rich.exec(text) ?? [];
  if (title === undefined || tail === undefined) return undefined;
  const metrics = Array.from(tail.matchAll(/([A-Za-z_][\w./-]*): (\S+)/gu)).flatMap(([, name = "", value = ""]) =>
    metricOf(name, value),
  );
  return barOf("rich", title, { done: Number(done), total: Number(total), metrics });
}

function readPlain(text: string): BarState | undefined {
  const [, title, done, total] = plainBar.exec(text) ?? [];
  if (title === undefined) return undefined;
  return barOf("tqdm", title, { done: Number(done), total: Number(total), metrics: [] });
}

function barOf(
  style: BarState["style"],
  title: string,
  { done, total, metrics }: Pick<BarState, "done" | "total" | "metrics">,
): BarState {
  const named = title.replace(/[:\s]+$/u, "");
  const epoch = epochOf(named);
  const split = splitOf(named);
  const all = metrics.length > 0 ? metrics : titleMetrics(named);
  return {
    style,
    title: named.trim(),
    ...(epoch !== undefined && { epoch }),
    done,
    ...(total !== undefined && { total }),
    metrics: split === undefined ? all : all.map(([key, value]) => [keyOf(key, split) ?? key, value] as const),
  };
}

/** `set_description(f"loss {loss:.3f}")`. */
function titleMetrics(title: string): readonly ScrapedMetric[] {
  return findNumberPairs(title)
    .filter((pair) => isMetric(pair, true))
    .flatMap(({ name, value }) => withKey(name, value));
}

function epochOf(title: string): number | undefined {
  const found = findNumberPairs(title).find(({ name }) => stepUnitOf(name) === "epoch");
  return found !== undefined && /^\d+$/u.test(found.text) ? found.value : undefined;
}

/** A bar named `Val` beside one named `Train`. */
function splitOf(title: string): string | undefined {
  return splitName(title).find((word) => splitWords.has(word));
}

/** `00:10<00:50, 12.3it/s, loss=0.3, v_num=0`; some write the metrics behind the bracket. */
function postfix(inside: string, behind: string): readonly ScrapedMetric[] {
  const shown = /^\d+:\d\d[^,]*(?:,\s*\S+)?(?=,|$)/u.exec(inside.trimStart())?.[0] ?? "";
  const text = `${inside.trimStart().slice(shown.length)} ${behind}`;
  const given = Array.from(text.matchAll(/(?<=^|[,\s])([A-Za-z_][^=,:[\]]*)\s?[=:]\s?([^\s,\]]+)/gu)).flatMap(
    ([, name = "", value = ""]) => metricOf(name, value),
  );
  return given.length > 0 ? given : titleMetrics(text);
}

function metricOf(name: string, text: string): readonly ScrapedMetric[] {
  if (kindOfName(name) === "denied" || stepUnitOf(name) !== undefined) return [];
  const number = /^([-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|nan|inf))(%?)$/iu.exec(text);
  if (number === null || (number[2] === "%" && !isPercentName(name))) return [];
  return withKey(name, toNumber(number[1] ?? ""));
}

function withKey(name: string, value: number): readonly ScrapedMetric[] {
  const key = keyOf(name);
  return key === undefined ? [] : [[key, value]];
}

function toAmount(text: string): number {
  const factor = { k: 1e3, M: 1e6, G: 1e9, T: 1e12 }[text.at(-1) ?? ""];
  return factor === undefined ? Number(text) : Math.round(Number(text.slice(0, -1)) * factor);
}
