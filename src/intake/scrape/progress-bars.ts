import type { BarState } from "./bar-state.ts";
import type { Finding, ScrapedMetric } from "./scraped.ts";

export type OnFinding = (finding: Finding, seen: Seen) => void;

/** Where and when a state was seen. */
export interface Seen {
  readonly line: number;
  readonly timestamp?: number;
}

/** The epoch that a line of its own announced; each announcement is another object. */
export interface AnnouncedEpoch {
  readonly epoch: number;
}

interface OpenBar {
  state: BarState;
  seen: Seen;
  readonly announced: AnnouncedEpoch | undefined;
  /** Steps of the bars of this title that are complete. */
  readonly base: number;
  /** The second bar of one epoch in Keras: `evaluate`, or a loop's own validation. */
  readonly isSecond: boolean;
  /** What was told of it: each value is told once. */
  readonly told: Map<string, number>;
  toldAt: number;
}

const mostBars = 32;

/**
 * Makes metrics of progress bars. A bar of an epoch tells its last state, with the epoch as the step; a bar that counts by itself
 * tells each hundredth of its way and its last state, with its own count as the step, which goes on when the bar starts again.
 */
export class ProgressBars {
  readonly #onFinding: OnFinding;
  readonly #open = new Map<string, OpenBar>();

  constructor(onFinding: OnFinding) {
    this.#onFinding = onFinding;
  }

  show(state: BarState, seen: Seen, announced: AnnouncedEpoch | undefined): void {
    const name = `${state.style} ${state.title.replaceAll(/[\d.]+/gu, "#")}`;
    const open = this.#open.get(name);
    if (open !== undefined && goesOn(open, state, announced)) {
      // A redraw without its numbers takes nothing back.
      open.state = state.metrics.length === 0 ? { ...state, metrics: open.state.metrics } : state;
      open.seen = seen;
      this.#tellHundredth(open);
      return;
    }
    if (open !== undefined) this.#tellLast(open, state);
    else if (this.#open.size >= mostBars) this.finish();
    const isSameCount = open !== undefined && epochOf(open) === undefined && isComplete(open.state);
    const begun: OpenBar = {
      state,
      seen,
      announced,
      base: isSameCount ? open.base + (open.state.total ?? open.state.done) : 0,
      isSecond: state.style === "keras" && announced !== undefined && open?.announced === announced,
      told: new Map(),
      toldAt: 0,
    };
    this.#open.set(name, begun);
    this.#tellHundredth(begun);
  }

  /** Another line came: bars that are complete will not change any more, or say so again. */
  lineEnded(): void {
    for (const open of this.#open.values()) if (isComplete(open.state)) this.#tell(open);
  }

  /** Nothing more comes. */
  finish(): void {
    for (const open of this.#open.values()) this.#tell(open);
    this.#open.clear();
  }

  /** A bar that Lightning starts again shows the last numbers of the epoch before at its beginning, validation among them. */
  #tellLast(open: OpenBar, next: BarState): void {
    const { state } = open;
    const isAll = state.metrics.every(([key]) => next.metrics.some(([other]) => other === key));
    if (next.done === 0 && next.metrics.length > 0 && isAll) open.state = { ...state, metrics: next.metrics };
    this.#tell(open);
  }

  #tellHundredth(open: OpenBar): void {
    const { done, total } = open.state;
    if (epochOf(open) !== undefined || open.state.style === "keras" || open.state.metrics.length === 0) return;
    if (done - open.toldAt >= Math.max(1, (total ?? open.toldAt) / 100)) this.#tell(open);
  }

  #tell(open: OpenBar): void {
    const { state, told } = open;
    // A bar at its beginning still bears the numbers of the one before.
    if (state.done === 0) return;
    const metrics = state.metrics
      .map(([key, value]): ScrapedMetric => [open.isSecond ? `eval_${key}` : key, value])
      .filter(
        ([key, value]) =>
          !Object.is(told.get(key), value) || (epochOf(open) === undefined && state.done !== open.toldAt),
      );
    open.toldAt = state.done;
    for (const [key, value] of metrics) told.set(key, value);
    const step = epochOf(open) ?? (state.style === "keras" ? undefined : open.base + state.done);
    if (metrics.length > 0) this.#onFinding({ metrics, by: "bar", ...(step !== undefined && { step }) }, open.seen);
  }
}

function goesOn({ state, announced }: OpenBar, next: BarState, nextAnnounced: AnnouncedEpoch | undefined): boolean {
  return (
    next.done >= state.done && next.epoch === state.epoch && next.total === state.total && announced === nextAnnounced
  );
}

const epochOf = ({ state, announced }: OpenBar): number | undefined => state.epoch ?? announced?.epoch;

const isComplete = ({ done, total }: BarState): boolean => total !== undefined && done >= total;
