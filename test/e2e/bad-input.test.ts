import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTrackingStore } from "../../src/store/open-store.ts";
import type { TrackingStore } from "../../src/store/tracking-store.ts";
import { metricsOf, paramsOf, type StartOptions, tagsOf, TrackRig, waitFor } from "./rig.ts";

const absentId = "0123456789abcdef0123456789abcdef";
const command = ["--", "sh", "-c", "touch started; echo out; exit 7"];

/** A mistake: 125, one line that names it, one hint, nothing started, nothing left behind. */
async function expectRefusal(
  rig: TrackRig,
  args: readonly string[],
  told: string | RegExp,
  options: StartOptions & { readonly hint?: RegExp } = {},
): Promise<void> {
  const before = readdirSync(rig.cwd).sort();
  const journals = rig.journalNames();
  const sockets = readdirSync(join(rig.root, "run"));
  const done = await rig.track(args, options);
  const [line = "", hint = "", ...rest] = done.stderr.split("\n");
  expect(line).toMatch(told);
  expect(line).toMatch(/^track: /u);
  expect(hint).toMatch(options.hint ?? /^hint: \S/u);
  expect(rest).toEqual([""]);
  expect(done.stdout).toBe("");
  expect(done.code).toBe(125);
  expect(readdirSync(rig.cwd).sort()).toEqual(before);
  expect(rig.journalNames()).toEqual(journals);
  expect(readdirSync(join(rig.root, "run"))).toEqual(sockets);
}

describe("the command line", () => {
  let rig: TrackRig;
  beforeAll(() => {
    rig = TrackRig.setup();
    mkdirSync(join(rig.cwd, "folder"));
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  test.each<readonly [name: string, options: readonly string[], told: string | RegExp]>([
    ["an unknown option", ["--no-such"], "unknown option '--no-such'"],
    ["an unknown option with a value", ["--no-such=3"], "unknown option"],
    ["a param without =", ["-p", "lr"], "-p is not key=value: lr"],
    ["a param without a key", ["-p", "=3"], "-p has no key: =3"],
    ["a tag without =", ["-t", "team"], "-t is not key=value: team"],
    ["a param given twice", ["-p", "a=1", "-p", "a=2"], "param a is given twice: 1 and 2"],
    ["a param name that MLflow refuses", ["-p", "a$b=1"], "'a$b'"],
    ["a param name that leaves its folder", ["-p", "../x=1"], "'../x'"],
    ["a tag name that is a path", ["-t", "/x=1"], "'/x'"],
    ["a name over 250 characters", ["-t", `${"k".repeat(251)}=1`], "at most 250"],
    ["an experiment name over 500 characters", ["-e", "k".repeat(501)], "at most 500"],
    ["an empty experiment name", ["-e", ""], "--experiment needs a value"],
    ["an empty run id", ["--run-id", ""], "--run-id needs a value"],
    ["a description given twice", ["--description", "a", "-t", "mlflow.note.content=b"], "description"],
    ["a timeout that is no duration", ["--timeout", "soon"], "--timeout is not a duration: soon"],
    ["a timeout below nothing", ["--timeout", "-1"], "--timeout"],
    ["a timeout of nothing", ["--timeout", "0"], "--timeout must be more than 0"],
    ["a grace that is no duration", ["--grace", "x"], "--grace is not a duration: x"],
    ["a capture of an unknown kind", ["--capture", "all"], "--capture is not known: all"],
    ["a console limit that is no size", ["--console-limit", "big"], "--console-limit is not a size: big"],
    ["a sampling interval that is none", ["--sampling-interval", "often"], "--sampling-interval"],
    ["a run id file in a missing folder", ["--run-id-file", "no/such/id"], "no/such/id"],
    ["a run id file that is a folder", ["--run-id-file", "folder"], /run id.*folder/u],
    ["an unknown kind of tracking URI", ["--tracking-uri", "foo://bar"], "foo://bar"],
    ["a folder for a tracking URI", ["--tracking-uri", "./mlruns"], "./mlruns"],
    ["a database in memory", ["--tracking-uri", "sqlite:///:memory:"], ":memory:"],
    [
      "a database server, its password unsaid",
      ["--tracking-uri", "postgresql://u:pw@h/db"],
      /: postgresql:\/\/\*\*\*@h\/db$/u,
    ],
    ["a run id without any database", ["--run-id", absentId], absentId],
    ["a parent without any database", ["--parent-run-id", absentId], absentId],
    ["an experiment id without any database", ["--experiment-id", "7"], "experiment 7"],
  ])("%s", async (_, options, told) => {
    await expectRefusal(rig, ["run", ...options, ...command], told);
  });

  test.each<readonly string[]>([["run"], ["run", "--"], ["run", "-e", "x", "--"]])(
    "no command: %s %s %s %s",
    async (...args) => {
      await expectRefusal(rig, args, "no command to run", { hint: /track run -- python/u });
    },
  );

  test("an option that lacks its value", async () => {
    await expectRefusal(rig, ["run", "-e"], "--experiment");
  });

  test("a mistyped option: the hint names the right one", async () => {
    await expectRefusal(rig, ["run", "--quite", ...command], "--quite", { hint: /--quiet/u });
  });

  test.each([
    ["MLFLOW_TRACKING_URI", "foo://", "foo://"],
    ["MLFLOW_RUN_ID", absentId, absentId],
    ["MLFLOW_EXPERIMENT_ID", "44", "experiment 44"],
    ["MLFLOW_EXPERIMENT_NAME", "k".repeat(501), "at most 500"],
    ["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "maybe", "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"],
    ["MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "often", "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"],
    ["MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "-1", "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"],
  ])("%s=%s", async (name, value, told) => {
    await expectRefusal(rig, ["run", ...command], told, { env: { [name]: value } });
  });
});

describe("what is no mistake", () => {
  test("the same param twice with one value, empty variables, a context that is no JSON, very long values and times", async () => {
    await using rig = TrackRig.setup();
    const values = ["-p", "a=1", "-p", "a=1", "-p", `long=${"v".repeat(7000)}`, "-t", `long=${"v".repeat(9000)}`];
    const durations = ["--timeout", "50d", "--grace", "60d", "--sync-timeout", "70d", "--sampling-interval", "80d"];
    const done = await rig.track(["run", ...values, ...durations, ...command], {
      env: { MLFLOW_EXPERIMENT_NAME: "", MLFLOW_RUN_ID: "", MLFLOW_RUN_CONTEXT: "no json", MLFLOW_TRACKING_URI: "" },
    });
    expect(done.code).toBe(7);
    expect(done.stdout).toBe("out\n");
    expect(done.stderr).not.toContain("Warning");
    const run = await rig.run();
    expect(run.info.status).toBe("FAILED");
    expect(paramsOf(run)["a"]).toBe("1");
    expect(paramsOf(run)["long"]).toHaveLength(6000);
    expect(tagsOf(run)["long"]).toHaveLength(8000);
    expect(tagsOf(run)["track.end_reason"]).toBeUndefined();
  });

  test("a database file that is still empty: another process may be making it right now", async () => {
    await using rig = TrackRig.setup();
    writeFileSync(join(rig.cwd, "mlflow.db"), "");
    const done = await rig.track(["run", ...command]);
    expect(done.code).toBe(7);
    expect((await rig.run()).info.status).toBe("FAILED");
  });
});

describe("the store", () => {
  const ids = { active: "", deleted: "", inDeleted: "", twinOne: "a1".repeat(16), twinTwo: `${"a1".repeat(15)}b2` };
  let rig: TrackRig;

  beforeAll(async () => {
    rig = TrackRig.setup();
    await using store = await openTrackingStore(rig.trackingUri, { mode: "write" });
    await fill(store);
    mkdirSync(join(rig.cwd, "folder"));
    writeFileSync(
      join(rig.cwd, "text"),
      "this is a text and no database at all, longer than a header of SQLite. ".repeat(4),
    );
    makeDatabase(join(rig.cwd, "other"), "CREATE TABLE runs (a); CREATE TABLE t (b)");
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  async function fill(store: TrackingStore): Promise<void> {
    const old = await store.createExperiment({ name: "old" });
    await store.createExperiment({ name: "alpha" });
    const create = async (
      runName: string,
      experimentId = "0",
      tags: Readonly<Record<string, string>> = {},
      runId?: string,
    ) => {
      const request = { experimentId, userId: "u", startTime: 1, runName, tags: entries(tags) };
      return (await store.createRun({ ...request, ...(runId !== undefined && { runId }) })).info.runId;
    };
    ids.active = await create("active");
    ids.deleted = await create("deleted");
    await store.deleteRun(ids.deleted);
    ids.inDeleted = await create("in a deleted experiment", old);
    await create("twin", "0", {}, ids.twinOne);
    await create("twin", "0", {}, ids.twinTwo);
    const cwd = rig.cwd;
    await create("masked", "0", { "track.command": '["touch","started","--key","***"]', "track.cwd": cwd });
    await create("homeless", "0", { "track.command": '["touch","started"]', "track.cwd": join(cwd, "gone") });
    await create("plain");
    await create("cut", "0", { "track.command": '["touch","sta', "track.cwd": cwd });
    await store.deleteExperiment(old);
  }

  test.each([
    ["a folder", "folder", "is a folder"],
    ["a text file", "text", "not a SQLite database"],
    ["a database with other tables", "other", /lacks|not MLflow's/u],
    ["below a file", "text/below.db", "not a folder"],
  ])("that is %s", async (_, name, told) => {
    await expectRefusal(rig, ["run", "--tracking-uri", `sqlite:///${name}`, ...command], told);
    await expectRefusal(rig, ["run", "--tracking-uri", `sqlite:///${name}`, ...command], join(rig.cwd, name));
  });

  test("whose MLflow tables lack a column or are not all there", async () => {
    const path = join(rig.cwd, "old.db");
    for (const change of ["ALTER TABLE runs DROP COLUMN name", "DROP TABLE metrics"]) {
      rmSync(path, { force: true });
      await (await openTrackingStore(`sqlite:///${path}`, { mode: "write" }))[Symbol.asyncDispose]();
      makeDatabase(path, change);
      const told = change.includes("runs") ? "lacks runs.name" : "lacks metrics.key";
      await expectRefusal(rig, ["run", "--tracking-uri", `sqlite:///${path}`, ...command], told, {
        hint: /mlflow db upgrade/u,
      });
    }
    rmSync(path);
  });

  test.each<readonly [name: string, options: () => readonly string[], told: () => string, hint: RegExp]>([
    ["an unknown run", () => ["--run-id", absentId], () => `run ${absentId} does not exist`, /track ls/u],
    ["the beginning of a run id", () => ["--run-id", ids.active.slice(0, 8)], () => "does not exist", /whole/u],
    ["a deleted run", () => ["--run-id", ids.deleted], () => `run ${ids.deleted} is deleted`, /track restore/u],
    ["an unknown parent", () => ["--parent-run-id", absentId], () => `parent run ${absentId} does not`, /track ls/u],
    [
      "a deleted parent",
      () => ["--parent-run-id", ids.deleted],
      () => `parent run ${ids.deleted} is deleted`,
      /track restore/u,
    ],
    [
      "an unknown experiment id",
      () => ["--experiment-id", "77"],
      () => "experiment 77 does not",
      /track experiments ls/u,
    ],
    ["an experiment id that is none", () => ["--experiment-id", "x"], () => "'x'", /track experiments ls/u],
    ["a deleted experiment by name", () => ["-e", "old"], () => "experiment old is deleted", /restore 1/u],
    ["a deleted experiment by id", () => ["--experiment-id", "1"], () => "experiment old is deleted", /restore 1/u],
    [
      "a name and an id that disagree",
      () => ["-e", "alpha", "--experiment-id", "0"],
      () => "has the id 2, not 0",
      /not both/u,
    ],
  ])("%s", async (_, options, told, hint) => {
    await expectRefusal(rig, ["run", ...options(), ...command], told(), { hint });
  });

  test.each<readonly [name: string, env: () => Readonly<Record<string, string>>, told: () => string]>([
    ["an unknown run", () => ({ MLFLOW_RUN_ID: absentId }), () => absentId],
    ["a deleted run", () => ({ MLFLOW_RUN_ID: ids.deleted }), () => "is deleted"],
    ["an unknown experiment", () => ({ MLFLOW_EXPERIMENT_ID: "77" }), () => "experiment 77"],
    ["a deleted experiment", () => ({ MLFLOW_EXPERIMENT_NAME: "old" }), () => "old is deleted"],
    ["a name and an id", () => ({ MLFLOW_EXPERIMENT_NAME: "alpha", MLFLOW_EXPERIMENT_ID: "0" }), () => "not 0"],
  ])("%s in the environment", async (_, env, told) => {
    await expectRefusal(rig, ["run", ...command], told(), { env: env() });
  });

  test.each<readonly [name: string, run: () => string, told: RegExp, hint: RegExp]>([
    ["an unknown run", () => "nobody", /no such run: nobody/u, /track ls/u],
    ["an ambiguous beginning", () => "a1a1a1", /which run\? 2/u, /a1a1.*a1a1/u],
    ["an ambiguous name", () => "twin", /which run\? 2/u, /twin/u],
    ["a run too long ago", () => "@99", /no such run: @99/u, /only/u],
    ["an @ that is none", () => "@foo", /@foo/u, /@last/u],
    ["a deleted run", () => ids.deleted, /is deleted/u, /track restore/u],
    ["a masked command", () => "masked", /lacks a secret/u, /track resume .* -- </u],
    ["a folder that is gone", () => "homeless", /gone/u, /track resume .* -- </u],
    ["a run without a command", () => "plain", /no recorded command/u, /track resume .* -- </u],
    ["a command that was cut", () => "cut", /no recorded command/u, /track resume .* -- </u],
  ])("resume of %s", async (_, run, told, hint) => {
    await expectRefusal(rig, ["resume", run()], told, { hint });
  });

  test("resume of nothing", async () => {
    await expectRefusal(rig, ["resume"], "run", { hint: /track resume --help/u });
  });

  test("resume of a run that went with its experiment", async () => {
    await expectRefusal(rig, ["resume", ids.inDeleted, ...command], `run ${ids.inDeleted} is deleted`);
  });
});

describe("a run that is alive", () => {
  test("is not attached to or resumed, but with --force; what it said is not hurt", async () => {
    await using rig = TrackRig.setup();
    const script = "touch up; while [ ! -e go ]; do sleep 0.02; done; echo mine=1 >> $TRACK_LOG";
    const started = rig.start(["run", "--", "sh", "-c", script]);
    await waitFor(async () => existsSync(join(rig.cwd, "up")) && (await isRecordedAlive(rig)), { what: "it runs" });
    const { runId } = (await rig.run()).info;
    const alive = `run ${runId} is alive`;
    await expectRefusal(rig, ["run", "--run-id", runId, ...command], alive, { hint: /--force/u });
    await expectRefusal(rig, ["run", ...command], alive, { env: { MLFLOW_RUN_ID: runId } });
    await expectRefusal(rig, ["resume", runId], alive, { hint: /--force/u });
    await expectRefusal(rig, ["resume", "@last", ...command], alive);
    const forced = await rig.track([
      "resume",
      "--force",
      runId,
      "--",
      "sh",
      "-c",
      "echo out; echo theirs=2 >> $TRACK_LOG",
    ]);
    expect(forced).toMatchObject({ code: 0, stdout: "out\n" });
    writeFileSync(join(rig.cwd, "go"), "");
    expect((await started.finished).code).toBe(0);
    const run = await rig.run();
    expect(metricsOf(run)).toEqual({ mine: 1, theirs: 2 });
    expect(tagsOf(run)["track.attempt"]).toBe("2");
  });
});

async function isRecordedAlive(rig: TrackRig): Promise<boolean> {
  if (!existsSync(join(rig.cwd, "mlruns"))) return false;
  // A database that is being made right now cannot be read yet.
  const runs = await rig.runs().catch(() => []);
  return runs.some((run) => tagsOf(run)["track.process"] !== undefined);
}

function makeDatabase(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

const entries = (tags: Readonly<Record<string, string>>) =>
  Object.entries(tags).map(([key, value]) => ({ key, value }));
