import { kindOfName, stepUnitOf } from "./metric-words.ts";
import { toNumber } from "./number-pairs.ts";
import { keyOf } from "./recognise-pairs.ts";
import type { Finding, ScrapedMetric } from "./scraped.ts";

const numberCell = /^[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?|nan|inf)$/iu;
const stepCell = /^(\d{1,9})(?:\/\d+)?$/u;
const mayBeHeader = /^\s*[A-Za-z]+(?:\s{2}|\s*[|│\t])/u;
const mostColumns = 60;
/** Counts that Ultralytics shows for the last batch alone. */
const ultralyticsCounts = new Set(["Instances", "Size", "GPU_mem"]);
const ultralyticsNames: Readonly<Record<string, string>> = { P: "precision", R: "recall" };

/**
 * Tables whose first column counts epochs or rounds: Ultralytics, skorch, fastai, scikit-learn's verbose estimators.
 * Ultralytics' names are those of its results.csv.
 */
export class TableReader {
  #columns: readonly string[] | undefined;
  #isUltralytics = false;
  /** Of Ultralytics' second table, which has no epoch of its own. */
  #scores: readonly string[] | undefined;
  #epoch: number | undefined;
  #isFinalCheck = false;

  /** Lines of a table need looking at, whatever words they have. */
  get isOpen(): boolean {
    return this.#columns !== undefined || this.#scores !== undefined;
  }

  /** `true` for a line that belongs to a table and says nothing by itself. */
  read(text: string): Finding | boolean {
    if (!this.isOpen && !mayBeHeader.test(text)) return false;
    const cells = text
      .trim()
      .split(/\s{2,}|\t+|\s*[|│]\s*/u)
      .filter((cell) => cell !== "");
    if (this.#openTable(text, cells)) return true;
    if (!this.isOpen) return false;
    const words = text
      .trim()
      .split(/[\s|│]+/u)
      .filter((word) => word !== "");
    return this.#readRow(words) ?? this.#readScores(words) ?? this.#stayOpen(text);
  }

  #openTable(text: string, cells: readonly string[]): boolean {
    const [first = ""] = cells;
    if (/^Class\s+Images\s+Instances\s+Box\(P/u.test(text.trim())) {
      this.#scores = scoreNames(text);
      return true;
    }
    const isHeader =
      cells.length >= 3 && cells.length <= mostColumns && cells.every((cell) => /^[A-Za-z_]/u.test(cell));
    if (!isHeader || stepUnitOf(first) === undefined || !/^[A-Za-z]+$/u.test(first) || /[:=]/u.test(text)) return false;
    this.#columns = cells;
    this.#isUltralytics = cells.includes("GPU_mem");
    this.#isFinalCheck = false;
    return true;
  }

  #readRow(words: readonly string[]): Finding | undefined {
    const columns = this.#columns;
    const step = stepCell.exec(words[0] ?? "")?.[1];
    if (columns === undefined || step === undefined || words.length !== columns.length) return undefined;
    const metrics = columns.flatMap((column, index): ScrapedMetric[] => {
      const text = words[index] ?? "";
      if (index === 0 || !numberCell.test(text) || !this.#isMetricColumn(column)) return [];
      const key = this.#isUltralytics ? `train/${column}` : keyOf(column);
      return key === undefined ? [] : [[key, toNumber(text)]];
    });
    if (this.#isUltralytics) this.#epoch = Number(step);
    return metrics.length === 0 ? undefined : { metrics, step: Number(step), by: "table" };
  }

  #isMetricColumn(column: string): boolean {
    if (this.#isUltralytics) return !ultralyticsCounts.has(column);
    return kindOfName(column) !== "denied" && column !== "dur";
  }

  #readScores(words: readonly string[]): Finding | boolean | undefined {
    const names = this.#scores;
    if (names === undefined || words.length < names.length + 3) return undefined;
    const values = words.slice(-names.length);
    if (!values.every((value) => numberCell.test(value))) return undefined;
    if (words[0] !== "all") return true;
    const prefix = this.#isFinalCheck ? "best/" : "";
    const metrics = names.map((name, index): ScrapedMetric => [`${prefix}${name}`, toNumber(values[index] ?? "")]);
    return { metrics, by: "table", ...(this.#epoch !== undefined && { step: this.#epoch }) };
  }

  /** A line of words ends a table; rulers, blank lines and speeds do not. */
  #stayOpen(text: string): boolean {
    if (text.startsWith("Validating ")) this.#isFinalCheck = true;
    if (this.#isUltralytics || !/[A-Za-z]{3,}/u.test(text)) return false;
    this.#columns = undefined;
    return false;
  }
}

/** `Box(P R mAP50 mAP50-95) Mask(P R ...)` → metrics/precision_B, ... , as results.csv has them without its brackets. */
function scoreNames(text: string): readonly string[] {
  return Array.from(text.matchAll(/([A-Z])[a-z]+\(([^)]*)\)/gu)).flatMap(([, kind = "", names = ""]) =>
    names
      .trim()
      .split(/\s+/u)
      .map((name) => `metrics/${ultralyticsNames[name] ?? name}_${kind}`),
  );
}
