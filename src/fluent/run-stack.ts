import { AsyncLocalStorage } from "node:async_hooks";
import type { ActiveRun } from "./active-run.ts";

const opening = new Set<RunSlot>();

/** Runs that were asked for and are not there yet. */
export const openingRuns = (): number => opening.size;

/** One run on its way: what is logged before it is open waits in order. */
export class RunSlot {
  run: ActiveRun | undefined;
  isOver = false;
  readonly #waiting: ((run: ActiveRun) => void)[] = [];
  readonly opened: Promise<ActiveRun>;
  readonly #opened = Promise.withResolvers<ActiveRun>();

  constructor() {
    opening.add(this);
    this.opened = this.#opened.promise;
    // Whoever starts a run hears of its failure; who only logs to it need not.
    this.opened.catch(() => {});
  }

  /** Calls `use` with the run, now or once it is open; a run that never opens calls nobody. */
  withRun(use: (run: ActiveRun) => void): void {
    if (this.run !== undefined) use(this.run);
    else if (!this.isOver) this.#waiting.push(use);
  }

  open(run: ActiveRun): void {
    opening.delete(this);
    this.run = run;
    for (const use of this.#waiting.splice(0)) use(run);
    this.#opened.resolve(run);
  }

  fail(error: unknown): void {
    opening.delete(this);
    this.isOver = true;
    this.#waiting.length = 0;
    this.#opened.reject(error);
  }
}

/** The runs of one asynchronous context, from the newest on. */
interface Frame {
  readonly slot: RunSlot;
  readonly outer: Frame | undefined;
  /** Of a `withRun`: what its function does, and what that calls, sees no run from elsewhere. */
  readonly isScope: boolean;
}

const storage = new AsyncLocalStorage<Frame>();
/** Runs that were started outside of any `withRun`: active for the whole program, as those of MLflow's main thread. */
let programRuns: RunSlot[] = [];
let lastRun: ActiveRun | undefined;

const isOpen = (slot: RunSlot): boolean => !slot.isOver && slot.run?.isEnded !== true;

/** The run that log calls here go to, open or about to be; `undefined` where the next one starts a run. */
export function currentSlot(): RunSlot | undefined {
  for (let frame = storage.getStore(); frame !== undefined; frame = frame.outer) {
    if (isOpen(frame.slot)) return frame.slot;
  }
  return programRuns.findLast(isOpen);
}

/** The run that a nested one is put below. One that is only about to be is a neighbour, started at the same time. */
export function currentRun(): ActiveRun | undefined {
  for (let frame = storage.getStore(); frame !== undefined; frame = frame.outer) {
    if (frame.slot.run !== undefined && isOpen(frame.slot)) return frame.slot.run;
  }
  return programRuns.findLast((slot) => slot.run !== undefined && isOpen(slot))?.run;
}

/** Makes a run current for the rest of this context; outside of any `withRun`, for the whole program. */
export function enter(slot: RunSlot): void {
  const outer = livingFrame();
  if (outer?.isScope !== true && !hasScope(outer)) programRuns = [...programRuns.filter(isOpen), slot];
  storage.enterWith({ slot, outer, isScope: false });
}

/** A run that nobody asked for by name: the first log call of a program starts it. */
export function enterProgram(slot: RunSlot): void {
  programRuns = [...programRuns.filter(isOpen), slot];
}

/** Calls `body` with the run current in it and in all that it calls. */
export function enterScope<Result>(slot: RunSlot, body: () => Promise<Result>): Promise<Result> {
  return storage.run({ slot, outer: livingFrame(), isScope: true }, body);
}

/** What has ended is let go, so that a long row of runs leaves nothing behind. */
function livingFrame(): Frame | undefined {
  let frame = storage.getStore();
  while (frame !== undefined && !isOpen(frame.slot)) frame = frame.outer;
  return frame;
}

function hasScope(frame: Frame | undefined): boolean {
  for (let one = frame; one !== undefined; one = one.outer) if (one.isScope) return true;
  return false;
}

export function noteEnded(run: ActiveRun): void {
  lastRun = run;
  programRuns = programRuns.filter(isOpen);
}

export const lastEndedRun = (): ActiveRun | undefined => lastRun;
