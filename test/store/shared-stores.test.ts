import { expect, test } from "vitest";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { SharedStores } from "../../src/store/shared-stores.ts";
import { canGroup, type TrackingStore } from "../../src/store/tracking-store.ts";
import { makeTestFolder } from "./sqlite-rig.ts";

const request = { experimentId: "0", userId: "u", startTime: 1, tags: [] };

async function setup() {
  const uri = `sqlite:///${await makeTestFolder()}/mlflow.db`;
  const shared = new SharedStores();
  let opened = 0;
  const use = (): Promise<TrackingStore> =>
    shared.use(uri, () => {
      opened += 1;
      return openTrackingStore(uri, { mode: "write" });
    });
  return { uri, shared, use, opened: () => opened };
}

async function together(store: TrackingStore, work: (store: TrackingStore) => Promise<void>): Promise<void> {
  if (!canGroup(store)) throw new Error("it must group");
  await store.together(work);
}

test("several users have one database, and what they write at one time is one transaction", async () => {
  const { uri, shared, use, opened } = await setup();
  await using reader = await openTrackingStore(uri, { mode: "write" });
  const users = await Promise.all(["a", "b", "c"].map(use));
  expect(opened()).toBe(1);
  const seen: number[] = [];
  await Promise.all(
    users.map((store, index) =>
      together(store, async (part) => {
        await part.createRun({ ...request, runName: `run${index}` });
        seen.push((await reader.searchRuns({ experimentIds: ["0"] })).items.length);
      }),
    ),
  );
  expect(seen).toEqual([0, 0, 0]);
  expect((await reader.searchRuns({ experimentIds: ["0"] })).items).toHaveLength(3);
  await users[0]?.[Symbol.asyncDispose]();
  expect(await users[1]?.getExperimentByName("Default")).toMatchObject({ experimentId: "0" });
  await shared[Symbol.asyncDispose]();
});

test("what one user cannot store is not stored, and costs the others nothing", async () => {
  const { shared, use } = await setup();
  const [good, bad] = [await use(), await use()];
  const results = await Promise.allSettled([
    together(good, async (part) => void (await part.createRun({ ...request, runName: "good" }))),
    together(bad, async (part) => {
      await part.createRun({ ...request, runName: "bad" });
      throw new Error("refused");
    }),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  const { items } = await good.searchRuns({ experimentIds: ["0"] });
  expect(items.map(({ info }) => info.runName)).toEqual(["good"]);
  await shared[Symbol.asyncDispose]();
});

test("a store that could not be opened is tried again by the next", async () => {
  const { uri, shared } = await setup();
  await expect(shared.use(uri, () => Promise.reject(new Error("locked")))).rejects.toThrow("locked");
  const store = await shared.use(uri, () => openTrackingStore(uri, { mode: "write" }));
  expect(await store.getExperimentByName("Default")).toBeDefined();
  await shared[Symbol.asyncDispose]();
});
