import type { Run } from "../entities/run.ts";

/** A key and its value in each run, in the order of the runs; `undefined` where a run has none. */
export interface Comparison<Value> {
  readonly key: string;
  readonly values: readonly (Value | undefined)[];
  readonly differs: boolean;
}

export interface RunDifferences {
  readonly params: readonly Comparison<string>[];
  readonly metrics: readonly Comparison<number>[];
  readonly tags: readonly Comparison<string>[];
}

/** Compares runs key by key, sorted by key. Metrics by their latest value, NaN being like NaN; tags only those that `isWanted`. */
export function compareRuns(runs: readonly Run[], isWanted: (tagKey: string) => boolean): RunDifferences {
  return {
    params: compareLists(runs.map((run) => run.data.params)),
    metrics: compareLists(runs.map((run) => run.data.metrics)),
    tags: compareLists(runs.map((run) => run.data.tags.filter(({ key }) => isWanted(key)))),
  };
}

function compareLists<Value>(
  lists: readonly (readonly { readonly key: string; readonly value: Value }[])[],
): readonly Comparison<Value>[] {
  const maps = lists.map((list) => new Map(list.map(({ key, value }) => [key, value])));
  const keys = new Set(lists.flatMap((list) => list.map(({ key }) => key)));
  return [...keys].toSorted().map((key) => {
    const values = maps.map((map) => map.get(key));
    return { key, values, differs: values.some((value) => !Object.is(value, values[0])) };
  });
}
