import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { plainAccess, type ServerAccess } from "../../src/entities/server-access.ts";
import { trackTags } from "../../src/entities/tag-keys.ts";
import { openRestStore, type RestStore } from "../../src/store/rest/rest-store.ts";
import { point, refused } from "../store/tracking-store-contract.ts";
import { type Fault, FaultProxy } from "./fault-proxy.ts";
import { newestMlflow } from "./mlflow-versions.ts";
import { serveMlflow } from "./served.ts";
import { describeWith } from "./with-mlflow.ts";

describeWith(newestMlflow)("a tracking server behind a bad network", () => {
  const served = serveMlflow({ isWarm: true });
  let proxy: FaultProxy;
  let store: RestStore;
  let retries: string[];

  beforeEach(async () => {
    proxy = await FaultProxy.start(served.server.url);
    retries = [];
    store = open();
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  const quick = { maxRetries: 3, backoffFactorSeconds: 0, jitterSeconds: 0, respectRetryAfter: true };
  function open(access: Partial<ServerAccess> = {}): RestStore {
    return openRestStore(
      { ...plainAccess(proxy.url), retry: quick, timeoutMs: 1000, ...access },
      { onRetry: (error) => void retries.push(error.message) },
    );
  }
  const request = (tags: readonly { key: string; value: string }[] = []) => ({
    experimentId: "0",
    userId: "ada",
    startTime: 1000,
    runName: "r",
    tags,
  });
  const newRunId = async () => (await store.createRun(request())).info.runId;
  const values = async (runId: string) => (await store.getMetricHistory(runId, "loss")).items.map(({ value }) => value);

  const healing: readonly (readonly [string, Fault, RegExp])[] = [
    ["reset", { kind: "reset" }, /reset|closed/u],
    ["cut half-way, though it was done", { kind: "cut", afterBytes: 60 }, /cut|reset|closed/u],
    ["not answered, though it was done", { kind: "cut", afterBytes: 0 }, /reset|closed/u],
    ["hanging", { kind: "hang" }, /no answer in time/u],
    ["answered 500 by a proxy", { kind: "status", status: 500, body: "<h1>oops</h1>" }, /500: oops/u],
    ["answered 503", { kind: "status", status: 503 }, /503/u],
    ["answered 504", { kind: "status", status: 504, body: "upstream timed out" }, /504: upstream timed out/u],
    ["answered 200 with a login page", { kind: "status", status: 200, body: "<title>Sign in</title>" }, /Sign in/u],
    ["answered 404 by a proxy without its server", { kind: "status", status: 404, body: "404 page not found" }, /404/u],
  ];
  test.each(healing)("a batch that is %s is tried again and stored once", async (_title, fault, words) => {
    const runId = await newRunId();
    proxy.next(fault, fault);
    await store.logBatch(runId, { metrics: [point("loss", 1), point("loss", 2, 2, 2)] });
    expect(await values(runId)).toEqual([1, 2]);
    expect(retries).toEqual([expect.stringMatching(words), expect.stringMatching(words)]);
  });

  test("a read that is cut half-way is asked for again", async () => {
    const runId = await newRunId();
    proxy.next({ kind: "cut", afterBytes: 200 });
    expect((await store.getRun(runId)).info.runId).toBe(runId);
    expect(retries).toHaveLength(1);
  });

  test("429 waits as long as the server asks for", async () => {
    const runId = await newRunId();
    proxy.next({ kind: "status", status: 429, headers: { "Retry-After": "1" } });
    const begun = performance.now();
    await store.logBatch(runId, { metrics: [point("loss", 1)] });
    expect(performance.now() - begun).toBeGreaterThan(950);
    expect(await values(runId)).toEqual([1]);
  });

  test("after the last retry the server counts as away, and what it said is told", async () => {
    await proxy.always({ kind: "status", status: 502, body: "bad gateway" });
    await refused(store.getExperiment("0"), "TEMPORARILY_UNAVAILABLE", /502: bad gateway/u);
    expect(proxy.faultsMet).toBe(4);
    await proxy.always({ kind: "refuse" });
    await refused(store.getExperiment("0"), "TEMPORARILY_UNAVAILABLE", /connection refused/u);
    await proxy.always();
    expect((await store.getExperiment("0")).name).toBe("Default");
  });

  test("connections that were lost while nothing was said cost nothing", async () => {
    const runId = await newRunId();
    await proxy.always();
    await store.logBatch(runId, { metrics: [point("loss", 1)] });
    expect(await values(runId)).toEqual([1]);
  });

  test("a workspace is named to the server, and refused at once by one that has none", async () => {
    await using elsewhere = open({ workspace: "team" });
    await refused(elsewhere.getExperiment("0"), "INVALID_PARAMETER_VALUE", /workspace/iu);
    expect(retries).toEqual([]);
  });

  test("a redirect on the same host is followed, one to another host is not", async () => {
    const runId = await newRunId();
    const moved = (status: number, location: string): Fault => ({
      kind: "status",
      status,
      headers: { Location: location },
    });
    const path = "/api/2.0/mlflow/runs/log-batch";
    proxy.next(moved(308, `${proxy.url}${path}`));
    await store.logBatch(runId, { metrics: [point("loss", 1)] });
    expect(await values(runId)).toEqual([1]);
    proxy.next(moved(308, `http://localhost:1${path}`));
    await refused(store.logBatch(runId, { metrics: [point("loss", 2)] }), "INVALID_PARAMETER_VALUE", /localhost:1/u);
  });

  test("a slow server is waited for", async () => {
    await proxy.always({ kind: "slow", delayMs: 400 });
    expect((await store.getExperiment("0")).name).toBe("Default");
    expect(retries).toEqual([]);
  });

  test("a request under way ends when it is given up", async () => {
    await using patient = open({ timeoutMs: 60_000 });
    await proxy.always({ kind: "hang" });
    const asked = patient.getExperiment("0");
    setTimeout(() => patient.abort(), 50);
    await refused(asked, "TEMPORARILY_UNAVAILABLE", /given up/u);
  });

  describe("making a run", () => {
    const made = async (createId: string, viewType: "ACTIVE_ONLY" | "ALL" = "ACTIVE_ONLY") => {
      const filter = `tags.\`${trackTags.createId}\` = '${createId}'`;
      const found = await store.searchRuns({ experimentIds: ["0"], filter, viewType });
      return found.items.map(({ info }) => info.runId);
    };

    test("whose answer was lost finds it again", async () => {
      const tags = [{ key: trackTags.createId, value: "lost" }];
      proxy.next({ kind: "cut", afterBytes: 0 });
      await refused(store.createRun(request(tags)), "TEMPORARILY_UNAVAILABLE");
      const { info } = await store.createRun(request(tags));
      expect(await made("lost", "ALL")).toEqual([info.runId]);
    });

    test("that never arrived makes it", async () => {
      const tags = [{ key: trackTags.createId, value: "never" }];
      proxy.next({ kind: "reset" });
      await refused(store.createRun(request(tags)), "TEMPORARILY_UNAVAILABLE");
      const { info } = await store.createRun(request(tags));
      expect(await made("never", "ALL")).toEqual([info.runId]);
    });

    test("that arrives after the next try leaves one run", async () => {
      const tags = [{ key: trackTags.createId, value: "late" }];
      proxy.next({ kind: "hold" });
      await refused(store.createRun(request(tags)), "TEMPORARILY_UNAVAILABLE");
      const { info } = await store.createRun(request(tags));
      proxy.release();
      await expect.poll(() => made("late"), { timeout: 5000 }).toHaveLength(2);
      await store[Symbol.asyncDispose]();
      store = open();
      expect(await made("late")).toEqual([info.runId]);
    });
  });
});
