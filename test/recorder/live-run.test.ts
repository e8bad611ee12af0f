import { describe, expect, test } from "vitest";
import type { ScrapePosition, StoreOperation } from "../../src/entities/journal-entry.ts";
import type { Run } from "../../src/entities/run.ts";
import { LiveRun } from "../../src/recorder/live-run.ts";
import { createMasker } from "../../src/wire/redact.ts";

const runId = "a".repeat(32);
const otherId = "b".repeat(32);

interface Entry {
  readonly operation: StoreOperation;
  readonly logOffset?: number;
  readonly scraped?: readonly ScrapePosition[];
}

/** A live run, and what it wrote and warned of. */
function begin(env: Record<string, string> = {}) {
  const entries: Entry[] = [];
  const warnings: [kind: string, text: string][] = [];
  const live = new LiveRun({
    runId,
    attempt: 2,
    masker: createMasker(env, { enabled: true }),
    append: (operation, takenIn) => entries.push({ operation, ...takenIn }),
    warn: (kind, text) => warnings.push([kind, text]),
    now: () => 1000,
  });
  const log = (record: Omit<Parameters<LiveRun["log"]>[0], "type">, speaker?: number) =>
    live.log({ type: "batch", ...record }, speaker);
  return { live, log, entries, warnings };
}

describe("what was said becomes entries", () => {
  test("one for all that was said since the last, and none for nothing", () => {
    const { live, log, entries } = begin();
    log({ metrics: [["loss", 0.5]], step: 3, timestamp: 7 });
    log({
      metrics: [
        ["loss", Number.NaN],
        ["worst", -Infinity],
      ],
      tags: [["phase", "one"]],
    });
    log({ params: [["lr", "0.1"]], tags: [["phase", "two"]] });
    expect(entries).toEqual([]);
    live.commit();
    live.commit();
    expect(entries).toEqual([
      {
        operation: {
          op: "log-batch",
          runId,
          metrics: [
            ["loss", 0.5, 7, 3],
            ["loss", "NaN", 1000, 0],
            ["worst", "-Infinity", 1000, 0],
          ],
          params: [{ key: "lr", value: "0.1" }],
          tags: [{ key: "phase", value: "two" }],
        },
      },
    ]);
  });

  test("of two thousand points at most, however long nobody commits", () => {
    const { log, entries } = begin();
    for (let step = 0; step < 5000; step += 1) log({ metrics: [["n", step]], step });
    const sizes = entries.map(({ operation }) => operation.op === "log-batch" && operation.metrics?.length);
    expect(sizes).toEqual([2000, 2000]);
  });

  test("which say how far the append file is taken in, even where nothing else is said", () => {
    const { live, log, entries } = begin();
    log({ runId: otherId, metrics: [["m", 1]] });
    live.commit(10);
    live.commit(25);
    log({ metrics: [["m", 2]] });
    log({ runId: otherId, tags: [["t", "x"]] });
    live.commit(40);
    expect(entries.map(({ operation, logOffset }) => ["runId" in operation && operation.runId, logOffset])).toEqual([
      [otherId, undefined],
      [runId, 10],
      [runId, 25],
      [runId, 40],
      [otherId, undefined],
    ]);
  });

  test("in order with every other operation", () => {
    const { live, log, entries } = begin();
    log({ tags: [["t", "before"]] });
    live.write({ op: "update-run", runId, status: "FINISHED", endTime: 5 });
    log({ tags: [["t", "after"]] });
    live.commit();
    expect(entries.map(({ operation }) => operation.op)).toEqual(["log-batch", "update-run", "log-batch"]);
  });
});

describe("params are written once", () => {
  test("the same speaker is refused, and nothing of its record is kept", () => {
    const { live, log, entries } = begin();
    log({ params: [["lr", "0.1"]] }, 1);
    log({ params: [["lr", "0.1"]] }, 1);
    const conflicting = {
      params: [
        ["opt", "adam"],
        ["lr", "0.2"],
      ],
      metrics: [["m", 1]],
      tags: [["t", "x"]],
    } as const;
    expect(() => log(conflicting, 1)).toThrow("Param with key='lr' was already logged with value='0.1'");
    live.commit();
    expect(entries.map(({ operation }) => operation)).toEqual([
      { op: "log-batch", runId, params: [{ key: "lr", value: "0.1" }] },
    ]);
    expect([...live.params]).toEqual([["lr", "0.1"]]);
  });

  test.each([
    ["another connection", 2],
    ["the append file", undefined],
  ])("%s: the later value becomes a tag of this attempt", (_who, speaker) => {
    const { live, log, warnings } = begin();
    log({ params: [["lr", "0.1"]] }, 1);
    log(
      {
        params: [
          ["lr", "0.2"],
          ["opt", "adam"],
        ],
      },
      speaker,
    );
    expect(Object.fromEntries(live.params)).toEqual({ lr: "0.1", opt: "adam" });
    expect(live.tags.get("track.attempt.2.param.lr")).toBe("0.2");
    expect(warnings).toEqual([["param", "param lr is 0.1 already; 0.2 is kept as tag track.attempt.2.param.lr"]]);
  });

  test("values of the command line, of an earlier recorder and of earlier attempts have no speaker to refuse", () => {
    const { live, log } = begin();
    live.write({ op: "log-batch", runId, params: [{ key: "cli", value: "1" }] });
    live.observe({ op: "log-batch", runId, params: [{ key: "earlier", value: "1" }] });
    live.seed(storedRun({ params: { stored: "1", cli: "other" } }), []);
    log(
      {
        params: [
          ["cli", "2"],
          ["earlier", "2"],
          ["stored", "2"],
        ],
      },
      1,
    );
    expect(Object.fromEntries(live.params)).toEqual({ cli: "1", earlier: "1", stored: "1" });
    expect(["cli", "earlier", "stored"].map((key) => live.tags.get(`track.attempt.2.param.${key}`))).toEqual([
      "2",
      "2",
      "2",
    ]);
  });

  test("another run's are that run's own", () => {
    const { live, log, entries } = begin();
    log({ params: [["lr", "0.1"]] }, 1);
    log({ runId: otherId, params: [["lr", "0.2"]] }, 1);
    live.commit();
    expect(entries.map(({ operation }) => operation)).toEqual([
      { op: "log-batch", runId, params: [{ key: "lr", value: "0.1" }] },
      { op: "log-batch", runId: otherId, params: [{ key: "lr", value: "0.2" }] },
    ]);
  });
});

describe("values are cleaned on entry", () => {
  test("secrets by name and by value, with one warning for each name", () => {
    const { live, log, entries, warnings } = begin({ API_TOKEN: "s3cr3t-value" });
    log(
      {
        params: [
          ["password", "abcdefgh"],
          ["note", "has s3cr3t-value in it"],
        ],
        tags: [["url", "http://h?k=s3cr3t-value"]],
      },
      1,
    );
    log({ tags: [["url", "again s3cr3t-value"]] }, 1);
    live.commit();
    expect(JSON.stringify(entries)).not.toMatch(/s3cr3t|abcdefgh/u);
    expect(Object.fromEntries(live.params)).toEqual({ password: "***", note: "has *** in it" });
    expect(warnings.map(([kind]) => kind)).toEqual(["secret", "secret", "secret"]);
    expect(JSON.stringify(warnings)).not.toMatch(/s3cr3t|abcdefgh/u);
  });

  test("a masked value that comes again is no conflict", () => {
    const { log } = begin();
    log({ params: [["api_key", "abcdefgh-1"]] }, 1);
    expect(() => log({ params: [["api_key", "abcdefgh-1"]] }, 1)).not.toThrow();
  });

  test("long ones are cut to MLflow's lengths, counted in characters", () => {
    const { live, log, warnings } = begin();
    log({
      params: [["p", "\u{1f680}".repeat(6001)]],
      tags: [
        ["t", "x".repeat(8001)],
        ["fits", "x".repeat(8000)],
      ],
    });
    expect(live.params.get("p")).toBe("\u{1f680}".repeat(6000));
    expect(live.tags.get("t")).toHaveLength(8000);
    expect(warnings.map(([kind]) => kind)).toEqual(["long param", "long tag"]);
  });
});

describe("the run as it stands", () => {
  test.each([
    [
      "a later step wins",
      [
        [1, 5, 9],
        [2, 6, 3],
      ],
      [2, 6, 3],
    ],
    [
      "an earlier step loses, whatever its time",
      [
        [1, 5, 9],
        [2, 4, 30],
      ],
      [1, 5, 9],
    ],
    [
      "a later time wins within a step",
      [
        [1, 5, 9],
        [0.5, 5, 10],
      ],
      [0.5, 5, 10],
    ],
    [
      "the greater value wins within a time",
      [
        [1, 5, 9],
        [2, 5, 9],
        [1.5, 5, 9],
      ],
      [2, 5, 9],
    ],
    [
      "NaN counts as 0",
      [
        [-1, 5, 9],
        [Number.NaN, 5, 9],
      ],
      [Number.NaN, 5, 9],
    ],
    [
      "NaN loses to a positive value",
      [
        [1, 5, 9],
        [Number.NaN, 5, 9],
      ],
      [1, 5, 9],
    ],
  ])("latest metric: %s", (_rule, points, latest) => {
    const { live, log } = begin();
    for (const [value = 0, step = 0, timestamp = 0] of points) log({ metrics: [["m", value]], step, timestamp });
    const { value, step, timestamp } = live.metrics.get("m") ?? {};
    expect([value, step, timestamp]).toEqual(latest);
  });

  test("tags: of the creation with the run's name, without those that were deleted", () => {
    const { live } = begin();
    const creation = { createId: "c", experiment: { experimentId: "0" }, userId: "u", startTime: 1 } as const;
    live.write({
      op: "create-run",
      runId,
      runName: "named",
      tags: [
        { key: "t", value: "1" },
        { key: "gone", value: "1" },
      ],
      ...creation,
    });
    live.write({ op: "delete-tag", runId, key: "gone" });
    live.write({ op: "delete-tag", runId: otherId, key: "t" });
    expect(Object.fromEntries(live.tags)).toEqual({ t: "1", "mlflow.runName": "named" });
  });

  test("a continued run begins with what is stored, but for the tags of its ended attempt", () => {
    const { live, log } = begin();
    live.write({ op: "log-batch", runId, tags: [{ key: "fresh", value: "new" }] });
    const tags = { kept: "1", fresh: "old", "track.exit_code": "3" };
    live.seed(storedRun({ tags, metrics: { loss: { value: 1, timestamp: 5, step: 7 } } }), ["track.exit_code"]);
    log({ metrics: [["loss", 9]], step: 6 });
    expect(Object.fromEntries(live.tags)).toEqual({ kept: "1", fresh: "new" });
    expect(live.metrics.get("loss")).toEqual({ value: 1, timestamp: 5, step: 7 });
  });

  test("metrics of an earlier recorder, as its journal holds them", () => {
    const { live } = begin();
    live.observe({
      op: "log-batch",
      runId,
      metrics: [
        ["m", "NaN", 1, 2],
        ["n", 4, 1, 1],
      ],
    });
    live.observe({ op: "log-batch", runId: otherId, metrics: [["foreign", 1, 1, 1]] });
    expect([...live.metrics.keys()]).toEqual(["m", "n"]);
    expect(live.metrics.get("m")?.value).toBeNaN();
  });
});

function storedRun(data: {
  readonly params?: Record<string, string>;
  readonly tags?: Record<string, string>;
  readonly metrics?: Record<string, { value: number; timestamp: number; step: number }>;
}): Run {
  const toList = (map: Record<string, string> = {}) => Object.entries(map).map(([key, value]) => ({ key, value }));
  const metrics = Object.entries(data.metrics ?? {}).map(([key, latest]) => ({ key, ...latest }));
  return {
    info: {
      runId,
      runName: "r",
      experimentId: "0",
      userId: "u",
      status: "FAILED",
      startTime: 0,
      lifecycleStage: "active",
      artifactUri: "",
    },
    data: { metrics, params: toList(data.params), tags: toList(data.tags) },
    inputs: { datasetInputs: [], modelIds: [] },
    outputs: { models: [] },
  };
}
