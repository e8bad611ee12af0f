/** Of one client: when the step began (ms since the epoch), how long it took, how long its logging took (`null`: it logs nothing); ms. */
export type SoakStep = readonly [beganAt: number, tookMs: number, loggingMs: number | null];

/** Of the tracking server, ms since the epoch: from its death until it answers again; its own start takes it a processor for seconds. */
export interface Outage {
  readonly from: number;
  readonly restartedAt: number;
  readonly to: number;
}

/** `low`: what it surely is at least (95 %), as far as the outages differ from each other; on a busy machine they do a lot. */
export interface Slowdown {
  readonly found: number;
  readonly low: number;
}

export interface SoakFigures {
  readonly stepsInOutages: number;
  /** By how much longer a step that logs takes than one beside it that does not: in outages, over the same with the server up. */
  readonly byMedian: Slowdown;
  readonly byMean: Slowdown;
  /** The same before the server is started again. */
  readonly byMedianWhileDead: Slowdown;
  readonly longestLoggingMs: number;
  readonly medianUpMs: number;
  readonly medianOutageMs: number;
}

type Typical = (values: readonly number[]) => number;

/**
 * What outages cost the training. Steps that log and steps that do not take turns in each client, so that whatever else the machine
 * does (the server's own start above all) hits both, and their relation is left.
 */
export function soakFigures(clients: readonly (readonly SoakStep[])[], outages: readonly Outage[]): SoakFigures {
  const steps = clients.flat();
  const within = (from: number, to: number) => steps.filter(([began, took]) => began >= from && began + took <= to);
  const up = steps.filter(([began, took]) => outages.every(({ from, to }) => began + took < from || began > to));
  const out = outages.map(({ from, to }) => within(from, to));
  const dead = outages.map(({ from, restartedAt }) => within(from, restartedAt));
  const tookOf = (some: readonly SoakStep[]) => median(some.map(([, took]) => took));
  return {
    stepsInOutages: out.flat().length,
    byMedian: slowdown(out, up, median),
    byMean: slowdown(out, up, mean),
    byMedianWhileDead: slowdown(dead, up, median),
    longestLoggingMs: Math.max(...steps.map(([, , logging]) => logging ?? 0)),
    medianUpMs: tookOf(up),
    medianOutageMs: tookOf(out.flat()),
  };
}

const resamplings = 400;

/** The lower end comes from drawing as many outages from them as there are, again and again. */
function slowdown(during: readonly (readonly SoakStep[])[], up: readonly SoakStep[], typical: Typical): Slowdown {
  const usual = costOfLogging(up, typical);
  const of = (some: readonly (readonly SoakStep[])[]) => costOfLogging(some.flat(), typical) / usual - 1;
  const drawn = Array.from({ length: resamplings }, () => of(during.map(() => pick(during))));
  const low = drawn.toSorted((a, b) => a - b)[Math.floor(resamplings * 0.05)] ?? Number.NaN;
  return { found: of(during), low };
}

function pick<Item>(items: readonly Item[]): Item {
  return items[Math.floor(Math.random() * items.length)] as Item;
}

/** The time of a step that logs, over that of one that does not. */
function costOfLogging(steps: readonly SoakStep[], typical: Typical): number {
  const took = (isLogging: boolean) =>
    steps.filter(([, , logging]) => (logging !== null) === isLogging).map(([, ms]) => ms);
  return typical(took(true)) / typical(took(false));
}

const mean: Typical = (values) => values.reduce((total, value) => total + value, 0) / values.length;

const median: Typical = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
};
