import { expect, test } from "vitest";
import { addAncestors, arrangeTree } from "../../src/cli/run-tree.ts";
import type { Run } from "../../src/entities/run.ts";
import { StoreError } from "../../src/errors.ts";
import type { RunStore } from "../../src/store/tracking-store.ts";

function makeRun(runId: string, parent?: string): Run {
  return {
    info: {
      runId,
      runName: runId,
      experimentId: "0",
      userId: "",
      status: "FINISHED",
      startTime: 1,
      lifecycleStage: "active",
      artifactUri: "",
    },
    data: { metrics: [], params: [], tags: parent === undefined ? [] : [{ key: "mlflow.parentRunId", value: parent }] },
    inputs: { datasetInputs: [], modelIds: [] },
    outputs: { models: [] },
  };
}

/** `b<a` is a child of `a`. */
const runsOf = (text: string) =>
  text.split(" ").map((word) => {
    const [id = "", parent] = word.split("<");
    return makeRun(id, parent);
  });

const draw = (text: string, isUtf8 = true) =>
  arrangeTree(runsOf(text), isUtf8).map(({ branch, run }) => branch + run.info.runId);

test("children stand below their parents, families where their first member is, in the given order", () => {
  expect(draw("e<d c<a x b<a a f<c d")).toEqual(["d", "└─ e", "a", "├─ c", "│  └─ f", "└─ b", "x"]);
  expect(draw("c<a b<a a f<c", false)).toEqual(["a", "|- c", "|  `- f", "`- b"]);
});

test("a run whose parent is not there is a root", () => {
  expect(draw("b<gone c<b")).toEqual(["b", "└─ c"]);
});

test("rings are cut apart, each run drawn once", () => {
  expect(draw("b<a a<b c<b")).toEqual(["a", "└─ b", "   └─ c"]);
  expect(draw("a<a")).toEqual(["a"]);
  expect(draw("d<c a<c b<a c<b")).toEqual(["a", "└─ b", "   └─ c", "      └─ d"]);
});

test("a chain of 20,000 runs is drawn at once, only its nearest levels", () => {
  const chain = Array.from({ length: 20_000 }, (_, index) =>
    makeRun(`r${index}`, index === 0 ? undefined : `r${index - 1}`),
  );
  const began = performance.now();
  const rows = arrangeTree(chain.toReversed(), true);
  expect(performance.now() - began).toBeLessThan(2000);
  expect(rows.length).toBe(20_000);
  expect(rows.at(-1)).toMatchObject({ run: { info: { runId: "r19999" } }, depth: 19_999 });
  expect(Math.max(...rows.map(({ branch }) => branch.length))).toBe(27);
});

test("ancestors are added once, up to the root, but for those that are gone or not wanted", async () => {
  const all = runsOf("d<c c<b b<a a<gone z<hidden hidden");
  const asked: string[] = [];
  const store: Pick<RunStore, "getRun"> = {
    getRun: (runId) => {
      asked.push(runId);
      const run = all.find((one) => one.info.runId === runId);
      return run === undefined
        ? Promise.reject(new StoreError("RESOURCE_DOES_NOT_EXIST", "none"))
        : Promise.resolve(run);
    },
  };
  const found = await addAncestors(store as RunStore, runsOf("d<c e<c z<hidden"), (run) => run.info.runId !== "hidden");
  expect(found.map(({ info }) => info.runId)).toEqual(["d", "e", "z", "c", "b", "a"]);
  expect(asked).toEqual(["c", "b", "a", "gone", "hidden"]);
});
