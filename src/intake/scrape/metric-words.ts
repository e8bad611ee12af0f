import { memoize } from "../../util/memoize.ts";

/** What a name in a log stands for. `strong`: a metric by its name alone; `weak`: only with a fraction behind it; `companion`: only beside others. */
export type WordKind = "strong" | "weak" | "companion" | "denied" | "other";

/** What a step word counts. */
export type StepUnit = "epoch" | "step" | "batch";

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/u).filter((word) => word !== ""));

const strong = words(`
  loss losses logloss acc accuracy auc auroc auprc aucpr roc f1 fbeta precision recall mae mse rmse rmsle mape smape
  mpe r2 perplexity ppl bleu sacrebleu rouge rouge1 rouge2 rougel meteor chrf wer cer iou miou giou dice map map50 ndcg
  mrr reward rewards return returns kl entropy crossentropy nll elbo psnr ssim lpips fid kid bpc bpb bpd top1 top5 eer
  logprob hinge mcc kappa sensitivity specificity iqm em binary_logloss multi_logloss l1 l2 merror mlogloss gini
`);
const weak = words(
  "error err score scores return returns precision recall map map50 hits em norm regret l1 l2 top1 top5",
);
const companions = words("lr gnorm gradnorm grad norm momentum beta temperature epsilon ema learning rate kappa");
const companionNames = /(?:^|[^a-z])(?:lr|learning[ _-]?rate|grad(?:ient)?[ _-]?norm|gnorm)(?:$|[^a-z])/iu;
const denied = words(`
  time times sec secs second seconds ms us ns min mins minute minutes hour hours hrs eta elapsed remaining duration
  runtime wall clock speed throughput per fps tps ips qps mem memory gpu gpus cpu cpus ram vram size sizes bytes kb mb gb
  tb gib mib params parameters parameter seed port pid rank id ids version num number n count counts total samples
  sample examples workers worker threads thread date day days year batchsize dim dims hidden heads layers layer patience
  threshold thresh weight weights decay smoothing delta tol tolerance fn function type alpha coef coefficient target
  warmup scheduler optimizer path file dir line lines code status exit errno page address addr ip url host level retry
  retries attempt attempts timeout interval freq frequency every max_steps steps epochs iters iterations rounds episodes
  updates batches vnum scale factor schedule margin bound bounds clip clipping reduction cutoff limit init initial index
  idx width height channels budget capacity quota mflops gflops flops
`);
const deniedCoefficient = words("dice");
const percentWords = words(`
  acc accuracy precision recall f1 wer cer error err iou miou dice top1 top5 sensitivity specificity map map50 em
`);
const units: Readonly<Record<string, StepUnit>> = {
  epoch: "epoch",
  ep: "epoch",
  step: "step",
  iter: "step",
  iteration: "step",
  round: "step",
  update: "step",
  episode: "step",
  batch: "batch",
  minibatch: "batch",
};
/** Words before a step word that leave it one: `Train Epoch`, `global_step`. Any other (`num_`, `max_`, `eval_`) makes it something else. */
const stepModifiers = words("train training trainer global current cur boosting the starting start begin beginning");

/** Words that say which data a metric is about. */
export const splitWords = words("train training val valid validation test testing eval evaluation dev");

/** Words that a sentence puts between a name and its number, or before the name. */
export const fillWords = words(
  "is was of at are to a an the and with for in on has have had got get by from until after than then this our we",
);

/** Words that may stand before the name of a metric as part of it. */
export const modifierWords: ReadonlySet<string> = new Set([
  ...splitWords,
  ...words("avg average mean running best total final min max median batch smoothed ema macro micro weighted overall"),
]);

/** `valAcc`, `val_acc`, `val/acc@1` → `val`, `acc`, `1`. */
export function splitName(name: string): string[] {
  return name
    .split(/[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z][a-z])/u)
    .filter((word) => word !== "")
    .map((word) => word.toLowerCase());
}

/** What a metric's would-be name says of it. */
export const kindOfName = memoize(judge);

/** A share of something is worth recording in percent, too: `Accuracy: 93.5%`. */
export function isPercentName(name: string): boolean {
  return splitName(name).some((word) => percentWords.has(word) || percentWords.has(word.replace(/\d+$/u, "")));
}

/** What a step word counts; `undefined` for any other name, `num_steps` and `eval_step` among them. */
export const stepUnitOf = memoize((name): StepUnit | undefined => {
  const parts = splitName(name);
  const unit = Object.hasOwn(units, parts.at(-1) ?? "") ? units[parts.at(-1) ?? ""] : undefined;
  return unit !== undefined && parts.slice(0, -1).every((word) => stepModifiers.has(word)) ? unit : undefined;
});

/** A running count over the whole training, which needs no epoch beside it. */
export const isGlobalStepName = (name: string): boolean => /global/iu.test(name);

function judge(name: string): WordKind {
  const parts = splitName(name);
  const isDenied = (word: string): boolean =>
    denied.has(word) && !(word.startsWith("coef") && parts.some((part) => deniedCoefficient.has(part)));
  if (parts.length === 0 || parts.some((word) => isDenied(word))) return "denied";
  if (companionNames.test(name)) return "companion";
  if (parts.every((word) => weak.has(word) || modifierWords.has(word)) && parts.some((word) => weak.has(word))) {
    return "weak";
  }
  if (parts.some((word) => isStrong(word))) return "strong";
  if (parts.some((word) => weak.has(word))) return "weak";
  return parts.every((word) => companions.has(word)) ? "companion" : "other";
}

function isStrong(word: string): boolean {
  if (strong.has(word)) return true;
  const stem = word.replace(/\d+$/u, "");
  return (stem.length > 1 && strong.has(stem)) || /(?:loss|accuracy|logloss)$/u.test(stem);
}
