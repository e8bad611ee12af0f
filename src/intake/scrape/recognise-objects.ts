import { isGlobalStepName, kindOfName, stepUnitOf } from "./metric-words.ts";
import { toNumber } from "./number-pairs.ts";
import { keyOf } from "./recognise-pairs.ts";
import type { Finding, ScrapedMetric } from "./scraped.ts";
import { type Progress, type StepCounter } from "./step-counter.ts";

/** A number of an object, and how it was written: `1.0` counts no epochs, `1` does. */
interface Field {
  readonly name: string;
  readonly text: string;
  readonly isQuoted: boolean;
}

const dumpWords = /\b(?:args?|arguments?|config\w*|hparams|hyper-?param\w*|options|settings|kwargs)\b/iu;
const deepest = 3;
const numberText = /^[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|nan|inf|infinity)$/iu;

/** A line that is, or ends with, one JSON object or the text of a Python dict: Hugging Face's Trainer prints its logs so. */
export function recogniseObject(message: string, counter: StepCounter): Finding | undefined {
  const from = message.indexOf("{");
  if (from === -1 || !message.endsWith("}") || dumpWords.test(message.slice(0, from))) return undefined;
  const text = message.slice(from);
  const fields = jsonFields(text) ?? pythonFields(text);
  if (fields === undefined) return undefined;
  const progress: Progress = {};
  const rest = fields.filter((field) => !noteField(progress, field));
  const hasStep = progress.epoch !== undefined || progress.step !== undefined;
  const taken = rest.filter((field) => isMetricField(field, hasStep));
  // Its epoch says where it is, even as a fraction; a learning rate alone is a setting.
  const isSure = taken.some(({ name }) => !["companion", "denied"].includes(kindOfName(name)) || hasStep);
  if (!isSure) return undefined;
  const metrics = taken.flatMap(({ name, text: number }): ScrapedMetric[] => {
    const key = keyOf(name);
    return key === undefined ? [] : [[key, toNumber(number)]];
  });
  const step = counter.stepOf(progress);
  return metrics.length === 0 ? undefined : { metrics, by: "object", ...(step !== undefined && { step }) };
}

/** Hugging Face rounds its epochs to text (`'epoch': '1.5'`, `'epoch': '2'`), so that text never counts. */
function noteField(progress: Progress, { name, text, isQuoted }: Field): boolean {
  const unit = stepUnitOf(name);
  if (unit === undefined || isQuoted || !/^\d{1,15}$/u.test(text)) return false;
  if (unit === "epoch") progress.epoch ??= Number(text);
  else if (unit === "step" && (progress.step === undefined || isGlobalStepName(name))) progress.step = Number(text);
  return true;
}

function isMetricField({ name, text, isQuoted }: Field, hasStep: boolean): boolean {
  if (stepUnitOf(name) !== undefined) return isQuoted || /[.e]/u.test(text);
  const kind = kindOfName(name.split("/").at(-1) ?? name);
  const hasFraction = !/^[-+]?\d+$/u.test(text);
  if (kind === "denied") return false;
  if (kind === "strong" || kind === "companion") return true;
  if (isQuoted) return false;
  return hasFraction && (kind === "weak" || hasStep);
}

function jsonFields(text: string): Field[] | undefined {
  try {
    const fields: Field[] = [];
    const value: unknown = JSON.parse(text, keepNumberText);
    flatten(value, "", fields, 0);
    return fields;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
}

class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

function keepNumberText(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === "number" ? new NumberText(context?.source ?? String(value)) : value;
}

function flatten(value: unknown, name: string, fields: Field[], depth: number): void {
  if (value instanceof NumberText) fields.push({ name, text: value.text, isQuoted: false });
  else if (typeof value === "string" && numberText.test(value)) fields.push({ name, text: value, isQuoted: true });
  else if (typeof value === "object" && value !== null && !Array.isArray(value) && depth < deepest) {
    for (const [key, part] of Object.entries(value))
      flatten(part, name === "" ? key : `${name}/${key}`, fields, depth + 1);
  }
}

const pythonPair =
  /(['"])([^'"{}]{1,250})\1\s*:\s*(?:(?:np\.|numpy\.|torch\.)?(?:float\d*|int\d*|tensor)\(([^(),]{1,40})[^()]{0,60}\)|(['"]?)([-+\w.]{1,40})\4)(?=\s*[,}])/gu;

/** Flat dicts; values of NumPy and PyTorch show their types. */
function pythonFields(text: string): Field[] | undefined {
  if (!/^\{\s*['"]/u.test(text)) return undefined;
  return Array.from(text.matchAll(pythonPair), ([, , name = "", typed, quote, plain]): Field => {
    return { name, text: typed ?? plain ?? "", isQuoted: quote !== undefined && quote !== "" };
  }).filter((field) => numberText.test(field.text));
}
