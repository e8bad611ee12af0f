import type { NumberPair } from "./number-pairs.ts";
import { isGlobalStepName, stepUnitOf } from "./metric-words.ts";

/** What a line says about where the training is. */
export interface Progress {
  epoch?: number;
  step?: number;
  /** N of `step n/N` or of `[n/N]` behind an epoch. */
  stepTotal?: number;
  isGlobal?: boolean;
}

/** Turns `epoch 3, batch 100/600` into one number that grows. */
export class StepCounter {
  #countsFromZero = false;

  stepOf(progress: Progress): number | undefined {
    const { epoch, step, stepTotal, isGlobal } = progress;
    if (epoch === 0) this.#countsFromZero = true;
    if (step === undefined) return epoch;
    if (epoch === undefined || isGlobal === true) return step;
    if (stepTotal === undefined) return step;
    return Math.max(0, this.#countsFromZero ? epoch : epoch - 1) * stepTotal + step;
  }
}

/** Adds what `pair` says of the progress; false where it is no step word. A number with a fraction counts nothing. */
export function noteProgress(progress: Progress, pair: NumberPair, previous: NumberPair | undefined): boolean {
  if (isBatchOfEpoch(pair, previous)) {
    progress.step = pair.value;
    if (pair.total !== undefined) progress.stepTotal = pair.total;
    return true;
  }
  const unit = stepUnitOf(pair.name);
  if (unit === undefined || !/^\d{1,15}$/u.test(pair.text)) return false;
  if (unit === "epoch") progress.epoch ??= pair.value;
  else if (unit === "step" || pair.total !== undefined) noteStep(progress, pair);
  return true;
}

function noteStep(progress: Progress, pair: NumberPair): void {
  const isGlobal = isGlobalStepName(pair.name);
  if (progress.step !== undefined && !isGlobal) return;
  progress.step = pair.value;
  progress.isGlobal = isGlobal;
  if (pair.total !== undefined) progress.stepTotal = pair.total;
}

/** `Epoch: [3][ 10/500]`, `Train Epoch: 1 [640/60000 (1%)]`: the second number is read as belonging to no name. */
function isBatchOfEpoch(pair: NumberPair, previous: NumberPair | undefined): boolean {
  return (
    pair.name === "" && pair.total !== undefined && previous !== undefined && stepUnitOf(previous.name) === "epoch"
  );
}
