import { expect, test } from "vitest";
import { soakFigures, type SoakStep } from "./soak-figures.ts";

/** Outages of 8 s every 20 s. */
const outages = Array.from({ length: 20 }, (_, index) => {
  const from = 10_000 + index * 20_000;
  return { from, restartedAt: from + 3000, to: from + 8000 };
});

/** Steps of 270 ms on a machine that holds each up for up to 100 ms, and while the server starts twice as much. */
function clients(extraOf: (isOut: boolean) => number): readonly (readonly SoakStep[])[] {
  return Array.from({ length: 4 }, () => {
    const steps: SoakStep[] = [];
    for (let at = 0; at < 410_000; at += (steps.at(-1) as SoakStep)[1]) {
      const isLogging = steps.length % 2 === 1;
      const isOut = outages.some(({ from, to }) => at >= from && at <= to);
      const noise = Math.random() * 100 * (isOut ? 2 : 1);
      const logging = isLogging ? 8 + extraOf(isOut) : null;
      steps.push([at, 270 + noise + (logging ?? 0), logging]);
    }
    return steps;
  });
}

test("noise of the machine is no cost of an outage", () => {
  const { byMedian, byMean, byMedianWhileDead, stepsInOutages } = soakFigures(
    clients(() => 0),
    outages,
  );
  expect(stepsInOutages).toBeGreaterThan(1000);
  for (const { low } of [byMedian, byMean, byMedianWhileDead]) expect(low).toBeLessThan(0.02);
});

test("logging that waits in outages is seen, always by a little or now and then for long", () => {
  const little = soakFigures(
    clients((isOut) => (isOut ? 27 : 0)),
    outages,
  );
  expect(little.byMedian.low).toBeGreaterThan(0.02);
  const seldom = soakFigures(
    clients((isOut) => (isOut && Math.random() < 0.1 ? 1000 : 0)),
    outages,
  );
  expect(seldom.byMean.low).toBeGreaterThan(0.02);
});
