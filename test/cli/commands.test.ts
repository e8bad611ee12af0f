import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readPlace, readStartTicks } from "../../src/util/proc.ts";
import { runToJson } from "../../src/wire/rest-json.ts";
import { textWidth } from "../../src/util/text-width.ts";
import { CommandRig, idOf, now } from "./command-rig.ts";

let rig: CommandRig;

beforeEach(() => {
  rig = new CommandRig();
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

const metric = (key: string, value: number, step = 0) => ({ key, value, step, timestamp: now + step });

async function seedThree(): Promise<void> {
  await rig.seed(
    {
      runId: idOf("aaaa1"),
      runName: "oldest",
      startTime: now - 7_200_000,
      endTime: now - 7_187_600,
      status: "FAILED",
      metrics: [metric("loss", 0.5), metric("system/cpu_utilization_percentage", 12)],
      params: [
        { key: "lr", value: "0.1" },
        { key: "same", value: "x" },
      ],
    },
    {
      runId: idOf("bbbb1"),
      runName: "middle",
      startTime: now - 120_000,
      endTime: now - 20_000,
      status: "FINISHED",
      metrics: [metric("loss", 0.25)],
      params: [
        { key: "lr", value: "0.2" },
        { key: "same", value: "x" },
      ],
      tags: [{ key: "team", value: "vision\tand\nmore" }],
    },
    { runId: idOf("cccc1"), runName: "newest", startTime: now - 30_000 },
  );
}

describe("ls", () => {
  test("where nothing was recorded says so on stderr, prints nothing, succeeds and leaves no file", async () => {
    expect(await rig.track(["ls"])).toMatchObject({
      exitCode: 0,
      stdout: "",
      stderr: `track: nothing recorded yet: sqlite:///${join(rig.folder, "mlflow.db")}\n`,
    });
    expect(await rig.track(["ls", "--json"])).toMatchObject({ exitCode: 0, stdout: '{"runs":[]}\n' });
    expect(await rig.track(["experiments"])).toMatchObject({ exitCode: 0, stdout: "" });
    expect(readdirSync(rig.folder)).toEqual([]);
  });

  test("in a pipe: whole ids, ISO times, seconds, always the same columns, the newest first", async () => {
    await seedThree();
    const { exitCode, stderr, lines } = await rig.track(["ls"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(lines).toEqual([
      `${idOf("cccc1")}\tnewest\tRUNNING\tDefault\t2026-05-01T11:59:30.000Z\t30`,
      `${idOf("bbbb1")}\tmiddle\tFINISHED\tDefault\t2026-05-01T11:58:00.000Z\t100`,
      `${idOf("aaaa1")}\toldest\tFAILED\tDefault\t2026-05-01T10:00:00.000Z\t12.4`,
    ]);
  });

  test("on a terminal: short ids, relative times, metrics, and the params in which runs differ", async () => {
    await seedThree();
    expect((await rig.track(["ls"], { columns: 120 })).lines).toEqual([
      "RUN       NAME    STATUS    EXPERIMENT  STARTED    DURATION  loss  lr",
      "cccc1000  newest  RUNNING   Default     30 s ago     30.0 s",
      "bbbb1000  middle  FINISHED  Default     2 min ago     1m40s  0.25  0.2",
      "aaaa1000  oldest  FAILED    Default     2 h ago      12.4 s   0.5  0.1",
    ]);
  });

  test("on a narrow terminal never writes a line that is too wide", async () => {
    await seedThree();
    for (const columns of [40, 50, 60, 80]) {
      const { lines } = await rig.track(["ls"], { columns });
      expect(lines).toHaveLength(4);
      for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(columns);
    }
    expect((await rig.track(["ls"], { columns: 40 })).lines[1]).toBe("cccc1000  newest  RUNNING   30 s ago");
  });

  test("--columns picks them, each kind of data, on one line whatever is in it", async () => {
    await seedThree();
    const { lines } = await rig.track(["ls", "--columns", "id,params.lr,metrics.loss,tags.team,end_time"]);
    expect(lines).toEqual([
      `${idOf("cccc1")}\t\t\t\t`,
      `${idOf("bbbb1")}\t0.2\t0.25\tvision\\tand\\nmore\t2026-05-01T11:59:40.000Z`,
      `${idOf("aaaa1")}\t0.1\t0.5\t\t2026-05-01T10:00:12.400Z`,
    ]);
    expect(await rig.track(["ls", "--columns", "frob"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(
        /^track: --columns is not known: frob\nhint: one of run_id, name, .*tags\.<key>\n$/u,
      ),
    });
  });

  test("--filter, --status, --order-by, -n and --experiment narrow it", async () => {
    await seedThree();
    const ids = async (...args: readonly string[]) =>
      (await rig.track(["ls", "--columns", "name", ...args])).lines.join(" ");
    expect(await ids("--filter", "metrics.loss < 0.4")).toBe("middle");
    expect(await ids("--status", "failed")).toBe("oldest");
    expect(await ids("--filter", "metrics.loss > 0", "--status", "failed")).toBe("oldest");
    expect(await ids("--order-by", "attributes.start_time ASC")).toBe("oldest middle newest");
    expect(await ids("-n", "2")).toBe("newest middle");
    expect(await ids("-e", "Default", "-n", "1")).toBe("newest");
    expect(await ids("-e", "0", "-n", "1")).toBe("newest");
    expect(await rig.track(["ls", "-e", "nope"])).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: "track: no such experiment: nope\nhint: track experiments --all\n",
    });
    expect((await rig.track(["ls", "--filter", "loss <"])).exitCode).toBe(1);
  });

  test("says on a terminal when there are more", async () => {
    await seedThree();
    expect((await rig.track(["ls", "-n", "2"], { columns: 80 })).stderr).toContain("there are more than these 2");
    expect((await rig.track(["ls", "-n", "3"], { columns: 80 })).stderr).toBe("");
    expect((await rig.track(["ls", "-n", "2"])).stderr).toBe("");
  });

  test("--json is one document of runs in MLflow's REST shape", async () => {
    await seedThree();
    await using store = await rig.openStore("read");
    const { stdout } = await rig.track(["ls", "--json", "-n", "1"]);
    expect(JSON.parse(stdout)).toEqual({
      runs: [JSON.parse(JSON.stringify(runToJson(await store.getRun(idOf("cccc1")))))],
    });
    const [run] = JSON.parse(stdout).runs;
    expect(run.info).toMatchObject({ run_id: idOf("cccc1"), run_name: "newest", status: "RUNNING" });
  });
});

describe("rm and restore", () => {
  test("hide runs and bring them back", async () => {
    await seedThree();
    expect(await rig.track(["rm", "oldest", "bbbb"])).toMatchObject({
      exitCode: 0,
      stdout: "",
      stderr: `track: deleted: ${idOf("aaaa1")} (oldest)\ntrack: deleted: ${idOf("bbbb1")} (middle)\n`,
    });
    expect((await rig.track(["ls"])).lines).toHaveLength(1);
    expect((await rig.track(["ls", "--all", "--columns", "name,stage"])).lines).toEqual([
      "newest\tactive",
      "middle\tdeleted",
      "oldest\tdeleted",
    ]);
    expect((await rig.track(["ls", "--deleted"])).lines.map((line) => line.split("\t").at(-1))).toEqual([
      "deleted",
      "deleted",
    ]);
    expect((await rig.track(["rm", "bbbb"])).stderr).toBe(`track: already deleted: ${idOf("bbbb1")}\n`);
    expect(await rig.track(["restore", "bbbb", idOf("bbbb1")])).toMatchObject({
      exitCode: 0,
      stderr: `track: restored: ${idOf("bbbb1")} (middle)\n`,
    });
    expect((await rig.track(["ls", "--columns", "name"])).lines).toEqual(["newest", "middle"]);
  });

  test("an unknown run among others leaves all as they are", async () => {
    await seedThree();
    expect(await rig.track(["rm", "oldest", "nope"])).toMatchObject({
      exitCode: 1,
      stderr: "track: no such run: nope\nhint: track ls --all shows the ids and names\n",
    });
    expect((await rig.track(["ls"])).lines).toHaveLength(3);
  });

  test("a run whose processes live here is deleted only by --force; a dead one at once", async () => {
    const processes = (startTicks: number) =>
      JSON.stringify({ ...readPlace(), wrapper: { pid: process.pid, startTicks } });
    const ticks = readStartTicks(process.pid) ?? 0;
    await rig.seed(
      { runId: idOf("aaaa1"), runName: "alive", tags: [{ key: "track.process", value: processes(ticks) }] },
      { runId: idOf("bbbb1"), runName: "dead", tags: [{ key: "track.process", value: processes(ticks + 1) }] },
    );
    expect(await rig.track(["rm", "dead", "alive"])).toMatchObject({
      exitCode: 1,
      stderr: `track: the run is alive: ${idOf("aaaa1")} (alive)\nhint: wait for its end, or give --force\n`,
    });
    expect((await rig.track(["ls"])).lines).toHaveLength(2);
    expect((await rig.track(["rm", "dead"])).exitCode).toBe(0);
    expect((await rig.track(["rm", "alive", "--force"])).exitCode).toBe(0);
    expect((await rig.track(["ls"])).lines).toHaveLength(0);
  });

  test("where nothing was recorded fail, and create no database", async () => {
    for (const args of [
      ["rm", "abcd"],
      ["restore", "abcd"],
      ["show", "@last"],
      ["experiments", "delete", "x"],
    ]) {
      expect(await rig.track(args)).toMatchObject({
        exitCode: 1,
        stderr: `track: nothing recorded yet: sqlite:///${join(rig.folder, "mlflow.db")}\nhint: go to the folder of the runs, or give --tracking-uri\n`,
      });
    }
    expect(existsSync(join(rig.folder, "mlflow.db"))).toBe(false);
  });
});

describe("experiments", () => {
  test("are created, listed, renamed, deleted and restored, by name or id", async () => {
    expect(await rig.track(["experiments", "create", "digits"])).toMatchObject({
      exitCode: 0,
      stdout: "1\n",
      stderr: "",
    });
    expect(await rig.track(["experiments", "create", "digits"])).toMatchObject({ exitCode: 1, stdout: "" });
    expect((await rig.track(["experiments", "rename", "digits", "mnist"])).stderr).toBe(
      "track: renamed: digits is now mnist\n",
    );
    const names = async (...args: readonly string[]) =>
      (await rig.track(["experiments", ...args])).lines.map((line) => line.split("\t")[1] ?? "").sort();
    expect(await names()).toEqual(["Default", "mnist"]);
    expect((await rig.track(["experiments", "delete", "1"])).stderr).toBe("track: deleted: mnist (id 1)\n");
    expect(await names()).toEqual(["Default"]);
    expect(await names("--all")).toEqual(["Default", "mnist"]);
    expect((await rig.track(["experiments", "restore", "mnist"])).stderr).toBe("track: restored: mnist (id 1)\n");
    expect(await names("ls")).toEqual(["Default", "mnist"]);
  });

  test("--json is one document in MLflow's REST shape; the folder of the artifacts can be chosen", async () => {
    await rig.track(["experiments", "create", "digits", "--artifact-location", "/data/digits"]);
    const { stdout } = await rig.track(["experiments", "--json"]);
    const { experiments } = JSON.parse(stdout);
    expect(experiments.map((one: { name: string }) => one.name).sort()).toEqual(["Default", "digits"]);
    expect(experiments.find((one: { name: string }) => one.name === "digits")).toMatchObject({
      experiment_id: "1",
      artifact_location: "/data/digits",
      lifecycle_stage: "active",
    });
  });

  test("deleted with their runs, these are gone from ls and named in ls --all", async () => {
    await rig.track(["experiments", "create", "digits"]);
    await rig.seed({ runId: idOf("aaaa1"), experimentId: "1", runName: "one" });
    await rig.track(["experiments", "delete", "digits"]);
    expect((await rig.track(["ls"])).lines).toEqual([]);
    expect((await rig.track(["ls", "--all", "--columns", "name,experiment,stage"])).lines).toEqual([
      "one\tdigits\tdeleted",
    ]);
  });
});

test("a database that is none, and a tracking URI of an unknown kind, are one line and a code", async () => {
  writeFileSync(join(rig.folder, "mlflow.db"), "rubbish ".repeat(1000));
  const broken = await rig.track(["ls"]);
  expect(broken).toMatchObject({ exitCode: 1, stdout: "" });
  expect(broken.stderr).toMatch(/^track: [^\n]*mlflow\.db[^\n]*\n(hint: [^\n]*\n)?$/u);
  const unknown = await rig.track(["ls", "--tracking-uri", "ftp://x/y"]);
  expect(unknown).toMatchObject({ exitCode: 1, stdout: "" });
  expect(unknown.stderr).toMatch(/^track: unknown kind of tracking URI: ftp:\/\/x\/y\nhint: /u);
});
