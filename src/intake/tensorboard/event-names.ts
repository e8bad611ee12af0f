import { dirname, sep } from "node:path";
import { toMetricName } from "../metric-name.ts";
import { splitWords } from "../scrape/metric-words.ts";

/**
 * Names the tags of several event files. Those of the folder that speaks first have bare names; of another one, the names begin
 * with where it lies, seen from the first: `validation/epoch_loss`. Folders called `train`, `val` and so on always say so;
 * folders named by a time say nothing.
 */
export class EventNames {
  #base: readonly string[] | undefined;

  /** `undefined` for a tag of which MLflow leaves nothing. */
  nameOf(file: string, tag: string): string | undefined {
    const folder = dirname(file).split(sep);
    this.#base ??= folder;
    return toMetricName([...prefix(this.#base, folder), tag].join("/"));
  }
}

function prefix(base: readonly string[], folder: readonly string[]): readonly string[] {
  let common = 0;
  while (common < base.length && base[common] === folder[common]) common += 1;
  const last = folder[common - 1] ?? "";
  const own = common === base.length && splitWords.has(last.toLowerCase()) ? [last] : [];
  return [...own, ...folder.slice(common)].filter((part) => !/^\d+(?:[._-]\d+)*$/u.test(part));
}
