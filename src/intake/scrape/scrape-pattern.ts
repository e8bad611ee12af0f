import { RE2JS, RE2JSException } from "re2js";
import { UsageError } from "../../errors.ts";
import { parseMetricText } from "../metric-text.ts";
import { toMetricName } from "../metric-name.ts";
import type { LineRecogniser } from "./auto-recogniser.ts";
import { stepUnitOf } from "./metric-words.ts";
import type { OnFinding, Seen } from "./progress-bars.ts";
import type { ScrapedMetric } from "./scraped.ts";
import { StepCounter, type Progress } from "./step-counter.ts";

const longestLine = 16 * 1024;
const anyNumber = String.raw`[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|(?i:nan|inf|infinity))`;
const placeholder = /\{([^{}]+)\}/gu;

/**
 * The user's own pattern: a regular expression with named groups, or a template such as `loss={loss} step={step}`. A group is a
 * metric by its name; step words (`step`, `epoch`, ...) are the step; `key` and `value` together name a metric by what stands
 * there. RE2 matches in time linear in the line, so that no pattern can hold up the recorder.
 */
export class ScrapePattern {
  readonly #regex: RE2JS;
  /** Name of each group. */
  readonly #names: ReadonlyMap<number, string>;

  /** Throws `UsageError` for what is no pattern. */
  constructor(pattern: string) {
    const isExpression = /\(\?P?<[A-Za-z_]/u.test(pattern);
    const { source, names } = isExpression ? { source: pattern, names: undefined } : fromTemplate(pattern);
    this.#regex = compile(source, pattern);
    this.#names = names ?? new Map(Object.entries(this.#regex.namedGroups()).map(([name, index]) => [index, name]));
    const given = [...this.#names.values()];
    if (given.includes("key") && !given.includes("value")) throw badPattern(pattern, "key needs a group named value");
    if (given.every((name) => stepUnitOf(name) !== undefined)) throw badPattern(pattern, "no group names a metric");
  }

  /** What the matches in a line say. */
  match(line: string): readonly { readonly metrics: readonly ScrapedMetric[]; readonly progress: Progress }[] {
    const found = [];
    const matcher = this.#regex.matcher(line);
    while (matcher.find()) {
      const metrics: ScrapedMetric[] = [];
      const progress: Progress = {};
      for (const [index, name] of this.#names) {
        const text = matcher.group(index);
        if (text !== null && name !== "key") this.#take({ name, text, key: this.#key(matcher) }, metrics, progress);
      }
      if (metrics.length > 0) found.push({ metrics, progress });
    }
    return found;
  }

  #key(matcher: ReturnType<RE2JS["matcher"]>): string | undefined {
    const index = Array.from(this.#names).find(([, name]) => name === "key")?.[0];
    return index === undefined ? undefined : (matcher.group(index) ?? undefined);
  }

  #take(
    { name, text, key }: { readonly name: string; readonly text: string; readonly key: string | undefined },
    metrics: ScrapedMetric[],
    progress: Progress,
  ): void {
    const value = parseMetricText(text.trim());
    if (value === undefined) return;
    const unit = stepUnitOf(name);
    if (unit !== undefined && Number.isSafeInteger(value)) progress[unit === "epoch" ? "epoch" : "step"] = value;
    const metric = toMetricName(name === "value" && key !== undefined ? key.trim() : name);
    if (unit === undefined && metric !== undefined) metrics.push([metric, value]);
  }
}

/** Each line as it stands when it is left, and each state of a progress bar that differs from the one before. */
export class PatternRecogniser implements LineRecogniser {
  readonly #pattern: ScrapePattern;
  readonly #onFinding: OnFinding;
  readonly #counter = new StepCounter();
  #told = "";

  constructor(pattern: ScrapePattern, onFinding: OnFinding) {
    this.#pattern = pattern;
    this.#onFinding = onFinding;
  }

  line(text: string, isFinal: boolean, seen: Seen): void {
    if (text.length > longestLine) return;
    for (const { metrics, progress } of this.#pattern.match(text)) {
      const step = this.#counter.stepOf(progress);
      const said = JSON.stringify([metrics, step]);
      if (said !== this.#told) this.#onFinding({ metrics, by: "pattern", ...(step !== undefined && { step }) }, seen);
      // The last state of a bar is drawn again when it is left.
      this.#told = isFinal ? "" : said;
    }
  }

  finish(): void {}
}

/** Blanks stand for any blanks, `{name}` for a number; all else for itself. */
function fromTemplate(template: string): { readonly source: string; readonly names: ReadonlyMap<number, string> } {
  const names = new Map<number, string>();
  let source = /^\w/u.test(template) ? String.raw`(?:^|[^\w.-])` : "";
  let from = 0;
  for (const { 0: whole, 1: name = "", index } of template.matchAll(placeholder)) {
    source += `${literal(template.slice(from, index))}(${anyNumber})`;
    names.set(names.size + 1, name.trim());
    from = index + whole.length;
  }
  if (names.size === 0) throw badPattern(template, "it names no metric");
  return { source: source + literal(template.slice(from)), names };
}

const literal = (text: string): string =>
  text
    .split(/\s+/u)
    .map((part) => RE2JS.quote(part))
    .join(String.raw`\s+`);

function compile(source: string, pattern: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw badPattern(pattern, error.message.replace(/^error parsing regexp: /u, ""));
  }
}

function badPattern(pattern: string, reason: string): UsageError {
  return new UsageError(`--scrape is no pattern: ${pattern}: ${reason}`, {
    hint: "auto, off, a template such as 'loss={loss} step={step}', or an expression such as 'loss=(?<loss>[0-9.]+)'",
  });
}
