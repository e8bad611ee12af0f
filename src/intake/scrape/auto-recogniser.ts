import { mayBeBar, readBar } from "./bar-state.ts";
import { messageStart } from "./log-prefix.ts";
import { stepUnitOf } from "./metric-words.ts";
import { findNumberPairs } from "./number-pairs.ts";
import { type AnnouncedEpoch, type OnFinding, ProgressBars, type Seen } from "./progress-bars.ts";
import { recogniseObject } from "./recognise-objects.ts";
import { recognisePairs } from "./recognise-pairs.ts";
import { recogniseRound } from "./recognise-rounds.ts";
import { TableReader } from "./recognise-tables.ts";
import type { Finding } from "./scraped.ts";
import { StepCounter } from "./step-counter.ts";

/** Takes lines as a terminal showed them, and says what metrics they hold. */
export interface LineRecogniser {
  line(text: string, isFinal: boolean, seen: Seen): void;
  finish(): void;
}

/** A line without any of this has nothing to say; what most lines cost is this test. */
const trigger =
  /loss|acc|auc|f1|fbeta|precision|recall|ma[ep]|[mr]se|r2|perplexity|ppl|bleu|rouge|meteor|chrf|wer|cer|iou|dice|ndcg|mrr|reward|return|score|\bkl|entropy|nll|elbo|psnr|ssim|lpips|fid|kid|bp[cbd]\b|top[15]|eer|err|logprob|mcc|kappa|tivity|specificity|gini|epoch|\bep\b|step|iter|round|update|episode|batch|^Validating |^\s*File "|^\[?\d+[\]:]\s|\d[%/]|it \[/iu;
/** Characters; some of the expressions that a line meets take time by its square. */
const longestLine = 3000;
const longestObject = 16 * 1024;
const mayAnnounce =
  /^[^\w{]*(?:[a-z]+ ){0,2}(?:epoch|ep|step|iteration|iter|round|episode)\b[^a-z{}"']*(?:[a-z]+[^a-z{}"']*){0,2}$/iu;
const headerWords = 3;

/** Recognises what training programs print by themselves. */
export class AutoRecogniser implements LineRecogniser {
  readonly #onFinding: OnFinding;
  readonly #bars: ProgressBars;
  readonly #tables = new TableReader();
  readonly #counter = new StepCounter();
  #announced: AnnouncedEpoch | undefined;
  /** A line of its own said the step of what follows. */
  #announcedStep: number | undefined;
  #isRepeated = false;
  #isCode = false;

  constructor(onFinding: OnFinding) {
    this.#onFinding = onFinding;
    this.#bars = new ProgressBars(onFinding);
  }

  line(text: string, isFinal: boolean, seen: Seen): void {
    if (text.length > longestLine) {
      if (isFinal) this.#showObject(text, seen);
      return;
    }
    if (!trigger.test(text) && !(this.#tables.isOpen && /\d/u.test(text))) {
      if (isFinal && this.#isCode && text !== "") this.#isCode = false;
      return;
    }
    if (mayBeBar(text) && this.#showBar(text, seen)) return;
    // What is drawn over by anything else than a bar was never meant to stay.
    if (!isFinal) return;
    this.#bars.lineEnded();
    const finding = this.#recognise(text.trimEnd());
    if (finding !== undefined) this.#onFinding(finding, seen);
  }

  finish(): void {
    this.#bars.finish();
  }

  #showObject(text: string, seen: Seen): void {
    const finding = text.length > longestObject ? undefined : recogniseObject(text.trim(), this.#counter);
    if (finding !== undefined) this.#onFinding(finding, seen);
  }

  /** False for a line that only looks like a bar. */
  #showBar(text: string, seen: Seen): boolean {
    const bar = readBar(text);
    if (bar === undefined) return /\d\/\?|[━╸╺█]/u.test(text);
    const row = this.#tables.read(bar.title);
    const shown = typeof row === "boolean" ? bar : { ...bar, epoch: row.step ?? 0, metrics: row.metrics };
    this.#bars.show(shown, seen, shown.epoch === undefined ? this.#announced : undefined);
    return true;
  }

  #recognise(text: string): Finding | undefined {
    if (this.#isSourceCode(text)) return undefined;
    const isRepeated = this.#isRepeated;
    this.#isRepeated = /best iteration is:?\s*$/iu.test(text);
    const message = text.slice(messageStart(text));
    const round = recogniseRound(text) ?? recogniseRound(message);
    if (round !== undefined) return isRepeated ? undefined : round;
    if (/^\[(?:LightGBM|CatBoost)\]/u.test(text)) return undefined;
    const row = this.#tables.read(text);
    if (typeof row === "object") return row;
    return row || this.#announces(message) ? undefined : this.#recogniseMessage(message);
  }

  #recogniseMessage(message: string): Finding | undefined {
    const object = recogniseObject(message, this.#counter);
    if (object !== undefined) return object;
    const pairs = recognisePairs(message, this.#counter);
    const step = pairs?.step ?? this.#announcedStep ?? this.#announced?.epoch;
    return pairs === undefined || step === undefined ? pairs : { ...pairs, step };
  }

  /** A traceback shows the line of the program behind each `File "..."`. */
  #isSourceCode(text: string): boolean {
    const isBehind = this.#isCode;
    this.#isCode = /^\s*File "[^"]*", line \d+/u.test(text);
    return isBehind || this.#isCode;
  }

  /** `Epoch 3/10`, `=== Round 2 ===`, `Starting epoch 3`: what follows belongs to it. */
  #announces(message: string): boolean {
    if (message.length > 80 || !mayAnnounce.test(message)) return false;
    const pairs = findNumberPairs(message.replace(/[\s\-=*#:.]+$/u, ""));
    const [pair] = pairs;
    if (pair === undefined || pairs.length > 1 || !/^\d{1,15}$/u.test(pair.text)) return false;
    const unit = stepUnitOf(pair.name);
    if (unit === undefined || unit === "batch") return false;
    const others = message.replace(message.slice(pair.start, pair.end), "").match(/[A-Za-z]{2,}/gu)?.length ?? 0;
    if (others >= headerWords) return false;
    if (unit === "epoch") {
      this.#announced = { epoch: pair.value };
      this.#announcedStep = undefined;
    } else this.#announcedStep = pair.value;
    return true;
  }
}
