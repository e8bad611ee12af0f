import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, expect, test } from "vitest";
import type { StoreOperation } from "../../src/entities/journal-entry.ts";
import { StoreError } from "../../src/errors.ts";
import { readCursor } from "../../src/journal/cursor.ts";
import type { DrainState } from "../../src/journal/drain.ts";
import { Drain } from "../../src/journal/drain.ts";
import { JournalWriter } from "../../src/journal/journal-writer.ts";
import { readRefused } from "../../src/journal/refused-log.ts";
import { createRun, drainAll, drainRig, dump, failing, journalOf } from "./drain-rig.ts";
import { queryFile } from "../store/sqlite-rig.ts";
import { mountSmallDisk, oneTo, runId, sequencesIn, stepEntry, until } from "./journal-rig.ts";

const steps = (count: number): StoreOperation[] => oneTo(count).map((step) => stepEntry(step).operation);

const params = (...pairs: [string, string][]): StoreOperation => ({
  op: "log-batch",
  runId,
  params: pairs.map(([key, value]) => ({ key, value })),
});

/** A key too long for the tag that would keep a second value of such a param: that is refused. */
const long = "k".repeat(240);

const toPair = ([key, value]: readonly [string, string]) => ({ key, value });

const tag = (key: string, value: string): StoreOperation => ({ op: "log-batch", runId, tags: [{ key, value }] });

const ended: StoreOperation = { op: "update-run", runId, status: "FINISHED", endTime: 1_790_000_009_000 };

function program(name: string, ...words: string[]) {
  const path = join(import.meta.dirname, "programs", name);
  return spawn(process.execPath, [path, ...words], { stdio: ["ignore", "pipe", "inherit"] });
}

describe("a drain", () => {
  test("brings everything into the store while it is appended, in order", async () => {
    using rig = drainRig();
    const states: string[] = [];
    const writer = JournalWriter.open(rig.journal, { onWritten: () => drain.poke() });
    const drain = new Drain({ ...rig.options(), writer, onStateChange: ({ kind }) => states.push(kind) });
    drain.start();
    const say = (operation: StoreOperation) => writer.append({ receivedAt: 1, attempt: 1, operation });
    say(createRun);
    for (const operation of steps(200)) {
      say(operation);
      await new Promise(setImmediate);
    }
    say(tag("phase", "one"));
    say(tag("phase", "two"));
    say({ op: "delete-tag", runId, key: "phase" });
    say(tag("phase", "three"));
    await drain.idle();
    expect(drain.pending).toBe(0);
    expect(queryFile(rig.database, "SELECT count(*) AS n FROM metrics")).toEqual([{ n: 200 }]);
    say({
      op: "log-batch",
      runId,
      metrics: [
        ["loss", "NaN", 1, 201],
        ["loss", "-Infinity", 1, 202],
      ],
    });
    say(ended);
    await drain.finish();
    await writer.close();

    expect(queryFile(rig.database, "SELECT count(*) AS n, sum(is_nan) AS nan FROM metrics")).toEqual([
      { n: 202, nan: 1 },
    ]);
    expect(queryFile(rig.database, "SELECT value FROM tags WHERE key = 'phase'")).toEqual([{ value: "three" }]);
    expect(queryFile(rig.database, "SELECT status, end_time FROM runs")).toEqual([
      { status: "FINISHED", end_time: 1_790_000_009_000 },
    ]);
    expect(new Set(states)).toEqual(new Set(["draining", "idle", "stopped"]));
    expect(states.at(-1)).toBe("stopped");
    expect(readCursor(rig.journal)?.sequence).toBe(writer.lastSequence);
  });

  test("goes on where the session before ended, and a replay from the beginning changes nothing", async () => {
    using rig = drainRig();
    await journalOf(rig.journal, [createRun, ...steps(50), params(["lr", "0.1"]), tag("a", "1"), tag("a", "2")]);
    await drainAll(rig.options());
    await journalOf(rig.journal, [...steps(60), params(["lr", "0.1"]), { op: "delete-tag", runId, key: "a" }, ended]);
    await drainAll(rig.options());
    const once = dump(rig.database);
    expect(once["metrics"]).toHaveLength(60);

    rmSync(join(rig.journal, "cursor.json"));
    await drainAll(rig.options());
    expect(dump(rig.database)).toEqual(once);
    expect(readRefused(rig.journal)).toEqual([]);
  });

  test("keeps a param that the store has with another value as a tag of the attempt", async () => {
    using rig = drainRig();
    await journalOf(rig.journal, [createRun]);
    await drainAll(rig.options());
    await (async () => {
      await using store = await rig.openStore();
      await store.logBatch(runId, { params: Object.entries({ lr: "0.1", opt: "adam" }).map(toPair) });
    })();
    const said = { lr: "0.2", opt: "adam", depth: "3" };
    const batch = { params: Object.entries(said).map(toPair), tags: [{ key: "b", value: "1" }] };
    await journalOf(rig.journal, [{ op: "log-batch", runId, metrics: [["acc", 1, 1, 1]], ...batch }, ended], 3);
    const told: unknown[] = [];
    const onRefused = (_entry: unknown, error: StoreError): unknown => told.push(error);
    for (let pass = 0; pass < 2; pass += 1) {
      await drainAll({ ...rig.options(), onRefused, onParamKept: (kept) => told.push(kept) });
      rmSync(join(rig.journal, "cursor.json"));
    }

    const tag = { key: "track.attempt.3.param.lr", value: "0.2" };
    expect(told).toEqual(Array.from({ length: 2 }, () => ({ key: "lr", known: "0.1", tag })));
    expect(queryFile(rig.database, "SELECT key, value FROM params ORDER BY key")).toEqual(
      Object.entries({ depth: "3", lr: "0.1", opt: "adam" }).map(toPair),
    );
    expect(
      queryFile(rig.database, "SELECT key, value FROM tags WHERE key = 'b' OR key LIKE '%.param.%' ORDER BY key"),
    ).toEqual([{ key: "b", value: "1" }, tag]);
    expect(queryFile(rig.database, "SELECT value FROM metrics")).toEqual([{ value: 1 }]);
    expect(queryFile(rig.database, "SELECT status FROM runs")).toEqual([{ status: "FINISHED" }]);
  });

  test("sets a refused entry aside, tells it once, keeps what was said beside it, and goes on", async () => {
    using rig = drainRig();
    const mixed: StoreOperation = {
      op: "log-batch",
      runId,
      metrics: [["acc", 1, 1, 1]],
      params: [
        { key: long, value: "0.2" },
        { key: "depth", value: "3" },
      ],
      tags: [{ key: "b", value: "1" }],
    };
    await journalOf(rig.journal, [createRun, params([long, "0.1"]), ...steps(10), mixed, ...steps(20), ended]);
    const told: string[] = [];
    await drainAll({ ...rig.options(), onRefused: (_entry, error) => told.push(error.errorCode) });

    expect(told).toEqual(["INVALID_PARAMETER_VALUE"]);
    expect(queryFile(rig.database, "SELECT key, value FROM params ORDER BY key")).toEqual([
      { key: "depth", value: "3" },
      { key: long, value: "0.1" },
    ]);
    expect(queryFile(rig.database, "SELECT count(*) AS n FROM metrics")).toEqual([{ n: 21 }]);
    expect(queryFile(rig.database, "SELECT value FROM tags WHERE key = 'b'")).toEqual([{ value: "1" }]);
    expect(queryFile(rig.database, "SELECT status FROM runs")).toEqual([{ status: "FINISHED" }]);
    const [refused, ...others] = readRefused(rig.journal);
    expect(others).toEqual([]);
    expect(refused?.entry.sequence).toBe(13);
    expect(refused?.entry.operation).toEqual(params([long, "0.2"]));
    expect(refused?.error).toMatchObject({ code: "INVALID_PARAMETER_VALUE" });

    rmSync(join(rig.journal, "cursor.json"));
    await drainAll({ ...rig.options(), onRefused: (_entry, error) => told.push(error.errorCode) });
    expect(told).toHaveLength(1);
    expect(readRefused(rig.journal)).toHaveLength(1);
  });

  test("refuses all of a run that cannot be made, and nothing of others", async () => {
    using rig = drainRig();
    const store = await rig.openStore();
    await store.deleteExperiment(await store.createExperiment({ name: "drained" }));
    await store[Symbol.asyncDispose]();
    const other = "f".repeat(32);
    const elsewhere = { ...createRun, runId: other, createId: "2", experiment: { experimentId: "0" } };
    await journalOf(rig.journal, [
      createRun,
      ...steps(2),
      elsewhere,
      { op: "update-run", runId: other, status: "FAILED" },
    ]);
    await drainAll(rig.options());
    expect(readRefused(rig.journal).map(({ entry }) => entry.sequence)).toEqual([1, 2, 3]);
    expect(queryFile(rig.database, "SELECT run_uuid, status FROM runs")).toEqual([
      { run_uuid: other, status: "FAILED" },
    ]);
  });

  test("waits for a locked database without holding up the event loop", async () => {
    using rig = drainRig();
    await journalOf(rig.journal, [createRun]);
    await drainAll(rig.options());
    const lock = program("lock-database.ts", rig.database, "1500");
    await once(lock.stdout, "data");

    await journalOf(rig.journal, [...steps(100), ended]);
    const waits: number[] = [];
    const lag = monitorEventLoopDelay({ resolution: 5 });
    lag.enable();
    const started = performance.now();
    const onStateChange = (state: DrainState) => state.kind === "waiting" && waits.push(state.retryInMs);
    await drainAll({ ...rig.options(), onStateChange });
    lag.disable();
    expect(performance.now() - started).toBeGreaterThan(500);
    expect(waits.length).toBeGreaterThan(2);
    expect(waits.at(-1)).toBeGreaterThan(waits[0] ?? 0);
    expect(lag.max / 1e6).toBeLessThan(300);
    expect(queryFile(rig.database, "SELECT count(*) AS n FROM metrics")).toEqual([{ n: 100 }]);
    expect(readRefused(rig.journal)).toEqual([]);
  });

  test("keeps its place over transient errors, and stops at once while it waits", async () => {
    using rig = drainRig();
    await journalOf(rig.journal, [
      createRun,
      params([long, "1"]),
      params([long, "2"]),
      params([long, "1"]),
      tag("t", "x"),
    ]);
    const away = new StoreError("TEMPORARILY_UNAVAILABLE", "away");
    let calls = 0;
    const flaky = async () =>
      failing(await rig.openStore(), "logBatch", () => ((calls += 1) % 3 === 1 ? away : undefined));
    await drainAll({ ...rig.options(), openStore: flaky });
    expect(readRefused(rig.journal).map(({ entry }) => entry.sequence)).toEqual([3]);
    expect(queryFile(rig.database, "SELECT value FROM tags WHERE key = 't'")).toEqual([{ value: "x" }]);

    await journalOf(rig.journal, steps(5));
    const states: DrainState[] = [];
    const drain = new Drain({
      ...rig.options(),
      openStore: async () => failing(await rig.openStore(), "logBatch", () => away),
      onStateChange: (state) => states.push(state),
    });
    drain.start();
    await until(() => states.some((state) => state.kind === "waiting" && state.attempt > 3));
    expect(drain.pending).toBe(5);
    const idle = drain.idle();
    const started = performance.now();
    await Promise.all([drain.stop(), expect(idle).rejects.toThrow("not drained")]);
    expect(performance.now() - started).toBeLessThan(300);
    expect(readCursor(rig.journal)?.sequence).toBe(5);
    await drainAll(rig.options());
    expect(queryFile(rig.database, "SELECT count(*) AS n FROM metrics")).toEqual([{ n: 5 }]);
  });

  test("a store that cannot be opened refuses nothing: the journal waits", async () => {
    using rig = drainRig();
    await journalOf(rig.journal, [createRun, ...steps(3)]);
    let tries = 0;
    const openStore = () => {
      tries += 1;
      return tries < 3 ? Promise.reject(new StoreError("INVALID_PARAMETER_VALUE", "newer schema")) : rig.openStore();
    };
    await drainAll({ ...rig.options(), openStore });
    expect(queryFile(rig.database, "SELECT count(*) AS n FROM metrics")).toEqual([{ n: 3 }]);
    expect(readRefused(rig.journal)).toEqual([]);
  });

  test("a bug in the store costs the entry that meets it, which is set aside, and no other", async () => {
    using rig = drainRig();
    await journalOf(rig.journal, [createRun, ...steps(20)]);
    const openStore = async () =>
      failing(await rig.openStore(), "logBatch", (_runId, { metrics = [] }) =>
        metrics.some(({ step }) => step === 7) ? new TypeError("undefined is not a function") : undefined,
      );
    await drainAll({ ...rig.options(), openStore });
    expect(queryFile(rig.database, "SELECT count(*) AS n FROM metrics")).toEqual([{ n: 19 }]);
    expect(readRefused(rig.journal)).toMatchObject([{ entry: { sequence: 8 }, error: { code: "INTERNAL_ERROR" } }]);
  });

  test("an older attempt never turns back tags and status of a newer one, but adds its metrics and params", async () => {
    using rig = drainRig();
    await journalOf(rig.journal, [createRun]);
    await drainAll(rig.options());
    const late: StoreOperation[] = [
      tag("phase", "old"),
      ...steps(3),
      params(["p", "1"]),
      { op: "delete-tag", runId, key: "phase" },
    ];
    await journalOf(rig.journal, [...late, { op: "update-run", runId, status: "FAILED", runName: "old" }], 1);
    const store = await rig.openStore();
    await store.logBatch(runId, {
      tags: [
        { key: "track.attempt", value: "2" },
        { key: "phase", value: "new" },
      ],
    });
    await store[Symbol.asyncDispose]();
    await drainAll({ ...rig.options(), guardAttempt: true });
    expect(queryFile(rig.database, "SELECT value FROM tags WHERE key = 'phase'")).toEqual([{ value: "new" }]);
    expect(queryFile(rig.database, "SELECT status, name FROM runs")).toEqual([
      { status: "RUNNING", name: "brave-owl-1" },
    ]);
    expect(queryFile(rig.database, "SELECT count(*) AS n FROM metrics")).toEqual([{ n: 3 }]);
    expect(queryFile(rig.database, "SELECT value FROM params")).toEqual([{ value: "1" }]);

    await journalOf(rig.journal, [tag("phase", "newer")], 2);
    await drainAll({ ...rig.options(), guardAttempt: true });
    expect(queryFile(rig.database, "SELECT value FROM tags WHERE key = 'phase'")).toEqual([{ value: "newer" }]);
  });

  test("writes all once more when the database was migrated meanwhile, over sessions too", async () => {
    using rig = drainRig();
    await journalOf(rig.journal, [createRun, ...steps(30), params([long, "1"]), params([long, "2"])]);
    let revision = "old";
    await drainAll({ ...rig.options(), revision: () => revision });
    const other = "f".repeat(32);
    const gone: StoreOperation[] = [
      { ...createRun, runId: other, createId: "2" } as StoreOperation,
      { op: "log-batch", runId: other, metrics: [["loss", 1, 1, 1]] },
      { op: "delete-run", runId: other },
    ];
    await journalOf(rig.journal, [...gone, ended]);
    const told: number[] = [];
    const drain = new Drain({
      ...rig.options(),
      revision: () => revision,
      onRefused: ({ sequence }) => told.push(sequence),
    });
    drain.start();
    await drain.idle();
    execFileSync(process.execPath, [
      "-e",
      `new (require("node:sqlite").DatabaseSync)(process.argv[1]).exec("DELETE FROM metrics WHERE step > 20; DELETE FROM params")`,
      rig.database,
    ]);
    revision = "new";
    await drain.finish();
    expect(queryFile(rig.database, `SELECT count(*) AS n FROM metrics WHERE run_uuid = '${runId}'`)).toEqual([
      { n: 30 },
    ]);
    expect(queryFile(rig.database, "SELECT status, lifecycle_stage AS stage FROM runs ORDER BY run_uuid")).toEqual([
      { status: "FINISHED", stage: "active" },
      { status: "RUNNING", stage: "deleted" },
    ]);
    expect(readRefused(rig.journal)).toHaveLength(1);
    expect(told).toEqual([]);
    expect(readCursor(rig.journal)).toMatchObject({ sequence: 37, revision: "new" });
  });

  test("kill -9 of the drain at any moment loses nothing and doubles nothing", async () => {
    using rig = drainRig();
    const entry = (round: number) =>
      oneTo(100).map((step) => [`metric_${step}`, step / 3, 1_790_000_000_000, round] as const);
    const rounds = oneTo(300).map((round): StoreOperation => ({ op: "log-batch", runId, metrics: entry(round) }));
    await journalOf(rig.journal, [createRun, ...rounds, params([long, "1"]), params([long, "2"]), ended]);
    for (let round = 0; round < 5; round += 1) {
      const child = program("drain-until-killed.ts", rig.journal, rig.database);
      await once(child.stdout, "data");
      setTimeout(() => child.kill("SIGKILL"), Math.random() * 100);
      await once(child, "close");
    }
    await drainAll(rig.options());
    expect(queryFile(rig.database, "SELECT count(*) AS n, sum(value) AS sum FROM metrics")).toEqual([
      { n: 30_000, sum: expect.closeTo((300 * 5050) / 3, 3) as number },
    ]);
    expect(queryFile(rig.database, "SELECT status FROM runs")).toEqual([{ status: "FINISHED" }]);
    expect(readRefused(rig.journal)).toHaveLength(1);
  }, 40_000);

  test("takes from the writer's memory what a full disk keeps out of the journal", async (context) => {
    using rig = drainRig();
    const disk = join(rig.artifacts, "disk");
    using mount = mountSmallDisk(disk);
    if (mount === undefined) return context.skip("mounting a small tmpfs needs root");
    const folder = join(disk, "journal");
    const poke = () => drain.poke();
    const writer = JournalWriter.open(folder, { stuckAfterMs: 50, retryMs: 10, onWritten: poke, onStuck: poke });
    const drain = new Drain({ ...rig.options(), folder, writer });
    drain.start();
    writer.append({ receivedAt: 1, attempt: 1, operation: createRun });
    await writer.flush();
    writeFileSync(join(disk, "ballast"), Buffer.alloc(950 * 1024));
    for (const step of oneTo(3000)) writer.append(stepEntry(step));
    await until(() => writer.isStuck);
    await drain.idle();
    expect(sequencesIn(folder).length).toBeLessThan(3001);
    expect(queryFile(rig.database, "SELECT count(*) AS n FROM metrics")).toEqual([{ n: 3000 }]);

    rmSync(join(disk, "ballast"));
    await until(() => !writer.isStuck);
    writer.append(stepEntry(3001));
    await drain.finish();
    await writer.close();
    expect(queryFile(rig.database, "SELECT count(*) AS n FROM metrics")).toEqual([{ n: 3001 }]);
    expect(readRefused(folder)).toEqual([]);
  });
});

describe("a spooled artifact", () => {
  const artifact = (name: string): StoreOperation => ({
    op: "log-artifact",
    runId,
    spoolPath: `spool/${name}`,
    artifactFile: `out/${name}`,
  });

  function spool(journal: string, name: string, text: string): void {
    mkdirSync(join(journal, "spool"), { recursive: true });
    writeFileSync(join(journal, "spool", name), text);
  }

  test("is stored, and leaves the spool only behind the cursor; a replay without it is no error", async () => {
    using rig = drainRig();
    spool(rig.journal, "a.txt", "hello");
    await journalOf(rig.journal, [createRun, artifact("a.txt")]);
    const drain = new Drain({ ...rig.options(), cursorIntervalMs: 60_000 });
    drain.start();
    await drain.idle();
    expect(readdirSync(join(rig.artifacts, "out"))).toEqual(["a.txt"]);
    expect(readCursor(rig.journal)?.sequence).toBe(1);
    expect(readdirSync(join(rig.journal, "spool"))).toEqual(["a.txt"]);
    await drain.stop();
    expect(readdirSync(join(rig.journal, "spool"))).toEqual([]);
    expect(readCursor(rig.journal)?.sequence).toBe(2);

    rmSync(join(rig.journal, "cursor.json"));
    await drainAll(rig.options());
    expect(readRefused(rig.journal)).toEqual([]);
  });

  test("that is refused stays in the spool; one outside the journal is not touched", async () => {
    using rig = drainRig();
    spool(rig.journal, "a.txt", "hello");
    const outside = join(rig.journal, "../precious");
    writeFileSync(outside, "mine");
    const bad: StoreOperation = { op: "log-artifact", runId, spoolPath: "../precious", artifactFile: "x" };
    await journalOf(rig.journal, [createRun, artifact("a.txt"), bad, ended]);
    const openArtifacts = () => Promise.reject(new StoreError("PERMISSION_DENIED", "not yours"));
    await drainAll({ ...rig.options(), openArtifacts });
    expect(readRefused(rig.journal).map(({ error }) => error.code)).toEqual([
      "PERMISSION_DENIED",
      "INVALID_PARAMETER_VALUE",
    ]);
    expect(readdirSync(join(rig.journal, "spool"))).toEqual(["a.txt"]);
    expect(queryFile(rig.database, "SELECT status FROM runs")).toEqual([{ status: "FINISHED" }]);
  });
});
