import { expect, test } from "vitest";
import { searchRuns } from "../../src/store/sqlite/search-runs.ts";
import { createSearchDatabase, makeModelRuns, pick, seededRandom } from "./search-data.ts";
import { makeComparison, makeOrder, sortModelRuns } from "./search-model.ts";

test("3,000 random searches find and sort the same runs as a plain evaluation in memory", () => {
  const random = seededRandom(20_260_101);
  const runs = makeModelRuns(random, 60);
  const db = createSearchDatabase(runs);
  let found = 0;
  for (let round = 0; round < 3000; round += 1) {
    const comparisons = Array.from({ length: Math.floor(random() * 4) }, () => makeComparison(random, runs));
    const orders = [makeOrder(random), makeOrder(random)].slice(0, Math.floor(random() * 3));
    const [first, second] = orders;
    const distinct =
      first &&
      second &&
      first.text.split(" DESC")[0]?.split(" ASC")[0] === second.text.split(" DESC")[0]?.split(" ASC")[0]
        ? [first]
        : orders;
    const viewType = pick(random, ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"] as const);
    const experimentIds = pick(random, [["1"], ["1", "2"], ["1", "2", "3"], ["9"], []]);
    const filter = comparisons.map((comparison) => comparison.text).join(pick(random, [" AND ", " and ", "\n AND\t"]));
    const expected = runs.filter(
      (run) =>
        experimentIds.includes(String(run.experimentId)) &&
        (viewType === "ALL" || run.stage === (viewType === "ACTIVE_ONLY" ? "active" : "deleted")) &&
        comparisons.every((comparison) => comparison.holds(run)),
    );
    const page = searchRuns(db, { experimentIds, viewType, filter, orderBy: distinct.map((order) => order.text) });
    const ids = page.items.map((run) => run.info.runId);
    expect(ids, JSON.stringify([filter, distinct.map((order) => order.text)])).toEqual(
      sortModelRuns(expected, distinct).map((run) => run.runId),
    );
    found += ids.length;
  }
  expect(found).toBeGreaterThan(3000);
});
