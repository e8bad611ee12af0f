import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { trackTags } from "../../src/entities/tag-keys.ts";
import { readPlace, readStartTicks } from "../../src/util/proc.ts";
import { runToJson } from "../../src/wire/rest-json.ts";
import { CommandRig, idOf, now } from "./command-rig.ts";

let rig: CommandRig;

beforeEach(() => {
  rig = new CommandRig();
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

const good = idOf("aaaa1");
const bad = idOf("bbbb1");
const open = idOf("cccc1");

async function seedThree(): Promise<void> {
  await rig.seed(
    {
      runId: good,
      runName: "good",
      startTime: now - 7_200_000,
      endTime: now - 7_187_600,
      status: "FINISHED",
      metrics: [
        { key: "loss", value: 0.1 + 0.2, step: 3, timestamp: now },
        { key: "val/nan", value: Number.NaN, step: 0, timestamp: now },
      ],
      params: [{ key: "lr", value: "0.01" }],
      tags: [{ key: "team", value: "two\nlines" }],
    },
    { runId: bad, runName: "bad", startTime: now - 120_000, endTime: now - 20_000, status: "FAILED" },
    { runId: open, runName: "open", startTime: now - 30_000 },
  );
}

async function readRun(runId: string) {
  await using store = await rig.openStore("read");
  return store.getRun(runId);
}

async function setTags(runId: string, tags: Readonly<Record<string, string>>): Promise<void> {
  await using store = await rig.openStore();
  await store.logBatch(runId, { tags: Object.entries(tags).map(([key, value]) => ({ key, value })) });
}

const aliveHere = (): string => {
  const command = { pid: process.pid, startTicks: readStartTicks(process.pid) ?? 0 };
  return JSON.stringify({ ...readPlace(), command });
};
const elsewhere = JSON.stringify({ ...readPlace(), host: "node7", machineId: "other" });

describe("wait", () => {
  test("succeeds when all are FINISHED, fails when one is not, and prints each once", async () => {
    await seedThree();
    expect(await rig.track(["wait", "good", "aaaa", good])).toMatchObject({
      exitCode: 0,
      stdout: `${good}\tgood\tFINISHED\n`,
      stderr: "",
    });
    expect(await rig.track(["wait", "good", "bad"])).toMatchObject({
      exitCode: 1,
      lines: [`${good}\tgood\tFINISHED`, `${bad}\tbad\tFAILED`],
    });
    const { stdout } = await rig.track(["wait", "bad", "--json"]);
    expect(JSON.parse(stdout)).toEqual({ runs: [runToJson(await readRun(bad))] });
  });

  test("gives up after --timeout, and names what still runs", async () => {
    await seedThree();
    expect(await rig.track(["wait", "good", "open", "--timeout", "0"])).toMatchObject({
      exitCode: 1,
      stderr: "track: still running after 0.0 s: cccc1000\nhint: give a longer --timeout, or none\n",
    });
  });

  test("returns when a run ends meanwhile", async () => {
    await seedThree();
    const waiting = rig.track(["wait", "open"]);
    {
      await using store = await rig.openStore();
      await store.updateRun(open, { status: "FINISHED", endTime: now });
    }
    expect(await waiting).toMatchObject({ exitCode: 0, stdout: `${open}\topen\tFINISHED\n` });
  });

  test("takes no status for the last word while the command lives", async () => {
    await seedThree();
    await setTags(good, { [trackTags.process]: aliveHere() });
    expect(await rig.track(["wait", "good", "--timeout", "200ms"])).toMatchObject({ exitCode: 1 });
  });

  test("tells once when a run of another host is silent", async () => {
    await seedThree();
    await setTags(open, { [trackTags.process]: elsewhere, [trackTags.heartbeat]: String(now - 3_600_000) });
    const { stderr } = await rig.track(["wait", "open", "--timeout", "300ms"]);
    expect(stderr.match(/last heard of 1h00m ago on node7: track doctor --stale/gu)).toHaveLength(1);
  });

  test("an unknown run is an error before anything is waited for", async () => {
    await seedThree();
    expect(await rig.track(["wait", "open", "nobody"])).toMatchObject({
      exitCode: 1,
      stderr: "track: no such run: nobody\nhint: track ls --all shows the ids and names\n",
    });
  });
});

describe("assert", () => {
  test("answers by its exit code, and tells the values where the run does not match", async () => {
    await seedThree();
    expect(await rig.track(["assert", "metrics.loss < 0.5", "good"])).toMatchObject({
      exitCode: 0,
      stdout: "",
      stderr: "",
    });
    expect(
      await rig.track(["assert", "metrics.loss < 0.2 and params.lr = '0.01' and metrics.acc > 1", "good"]),
    ).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: `track: run aaaa1000 does not match: metric loss is ${0.1 + 0.2}, param lr is 0.01, metric acc is not there\n`,
    });
    expect((await rig.track(["assert", "status = 'FAILED'", "bad", "--json"])).stdout).toBe(
      `{"run_id":"${bad}","matches":true}\n`,
    );
  });

  test("judges a deleted run as well", async () => {
    await seedThree();
    await rig.track(["rm", "bad"]);
    expect(await rig.track(["assert", "status = 'FAILED'", bad])).toMatchObject({ exitCode: 0 });
  });

  test.each(["", "  ", "metrics.loss <", "loss < 1 or loss > 2"])(
    "a filter %j that says nothing is no answer: 2",
    async (filter) => {
      await seedThree();
      expect(await rig.track(["assert", filter, "good"])).toMatchObject({ exitCode: 2, stdout: "" });
    },
  );
});

describe("get", () => {
  test.each([
    ["metric", "loss", `${0.1 + 0.2}\n`],
    ["metric", "val/nan", "NaN\n"],
    ["param", "lr", "0.01\n"],
    ["tag", "team", "two\nlines\n"],
  ])("%s %s is the bare value", async (kind, key, stdout) => {
    await seedThree();
    expect(await rig.track(["get", kind, "good", key])).toMatchObject({ exitCode: 0, stdout, stderr: "" });
  });

  test("--json is MLflow's shape", async () => {
    await seedThree();
    const read = async (...args: string[]) =>
      JSON.parse((await rig.track(["get", ...args, "--json"])).stdout) as unknown;
    expect(await read("metric", "good", "val/nan")).toEqual({ key: "val/nan", value: "NaN", timestamp: now, step: 0 });
    expect(await read("param", "good", "lr")).toEqual({ key: "lr", value: "0.01" });
  });

  test("no such key: 1, nothing on stdout, and what there is as the hint", async () => {
    await seedThree();
    expect(await rig.track(["get", "metric", "good", "Loss"])).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: "track: run aaaa1000 has no metric Loss\nhint: it has loss\n",
    });
    expect((await rig.track(["get", "param", "bad", "lr"])).stderr).toContain("hint: track show bbbb1000\n");
  });
});

describe("artifacts", () => {
  async function seedArtifacts(): Promise<void> {
    await seedThree();
    const folder = join(rig.folder, "made/deep");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "b.txt"), "12345");
    writeFileSync(join(rig.folder, "a.txt"), "1");
    await rig.track(["log", "artifact", "made", "a.txt", "--run", "good"]);
  }

  test("ls shows a folder, or all files below it", async () => {
    await seedArtifacts();
    expect((await rig.track(["artifacts", "ls", "good"])).lines).toEqual(["a.txt\t1", "made/\t"]);
    expect((await rig.track(["artifacts", "ls", "good", "/made/"])).lines).toEqual(["made/deep/\t"]);
    expect((await rig.track(["artifacts", "ls", "good", "-r"])).lines).toEqual(["a.txt\t1", "made/deep/b.txt\t5"]);
    expect((await rig.track(["artifacts", "ls", "good", "made/deep/b.txt"])).lines).toEqual(["made/deep/b.txt\t5"]);
    expect(JSON.parse((await rig.track(["artifacts", "ls", "good", "--json"])).stdout)).toEqual({
      root_uri: (await readRun(good)).info.artifactUri,
      files: [
        { path: "a.txt", is_dir: false, file_size: 1 },
        { path: "made", is_dir: true },
      ],
    });
    expect(await rig.track(["artifacts", "ls", "bad"])).toMatchObject({ exitCode: 0, stdout: "" });
    expect(await rig.track(["artifacts", "ls", "good", "made/nothing"])).toMatchObject({
      exitCode: 1,
      stderr: "track: run aaaa1000 has no artifact made/nothing\nhint: track artifacts ls aaaa1000 -r\n",
    });
  });

  test("get copies a file, a folder or everything, and writes over nothing", async () => {
    await seedArtifacts();
    expect(await rig.track(["artifacts", "get", "good", "made/deep/b.txt"])).toMatchObject({
      exitCode: 0,
      stdout: "b.txt\n",
    });
    expect(readFileSync(join(rig.folder, "b.txt"), "utf8")).toBe("12345");
    expect(await rig.track(["artifacts", "get", "good", "a.txt"])).toMatchObject({
      exitCode: 1,
      stderr: "track: there is something already: a.txt\nhint: give another -o, or --force\n",
    });
    await rig.track(["artifacts", "get", "good", "made", "-o", "out/copy"]);
    expect(readFileSync(join(rig.folder, "out/copy/deep/b.txt"), "utf8")).toBe("12345");
    expect((await rig.track(["artifacts", "get", "good"])).stdout).toBe("artifacts-aaaa1000\n");
    expect(existsSync(join(rig.folder, "artifacts-aaaa1000/made/deep/b.txt"))).toBe(true);
    writeFileSync(join(rig.folder, "a.txt"), "changed");
    await rig.track(["artifacts", "get", "good", "a.txt", "--force"]);
    expect(readFileSync(join(rig.folder, "a.txt"), "utf8")).toBe("1");
  });

  test("get refuses what is not there, and a path that leads out", async () => {
    await seedArtifacts();
    expect(await rig.track(["artifacts", "get", "bad"])).toMatchObject({
      exitCode: 1,
      stderr: "track: run bbbb1000 has no artifacts\nhint: track show bbbb1000\n",
    });
    expect(await rig.track(["artifacts", "get", "good", "nothing"])).toMatchObject({ exitCode: 1, stdout: "" });
    expect(existsSync(join(rig.folder, "nothing"))).toBe(false);
    expect((await rig.track(["artifacts", "get", "good", "../../x"])).stderr).toContain("Invalid artifact path");
  });
});

describe("end", () => {
  test("gives a run its status and end time by hand", async () => {
    await seedThree();
    expect(await rig.track(["end", "open"])).toMatchObject({
      exitCode: 0,
      stdout: "",
      stderr: `track: ended: ${open} (open), FINISHED\n`,
    });
    expect((await readRun(open)).info).toMatchObject({ status: "FINISHED", endTime: now });
  });

  test.each([
    [["--status", "killed"], "KILLED", {}],
    [["--status-from", "0"], "FINISHED", { [trackTags.exitCode]: "0" }],
    [["--status-from", "3"], "FAILED", { [trackTags.exitCode]: "3" }],
    [["--status-from", "143"], "KILLED", { [trackTags.exitCode]: "143", [trackTags.signal]: "SIGTERM" }],
  ])("%j", async (args, status, tags) => {
    await seedThree();
    await setTags(open, { [trackTags.process]: elsewhere, [trackTags.heartbeat]: String(now - 3_600_000) });
    const { stdout } = await rig.track(["end", "open", ...args, "--json"]);
    const run = await readRun(open);
    expect(JSON.parse(stdout)).toEqual({ run: runToJson(run) });
    expect(run.info.status).toBe(status);
    const ours = run.data.tags.filter(({ key }) => key.startsWith("track."));
    expect(Object.fromEntries(ours.map(({ key, value }) => [key, value]))).toEqual(tags);
  });

  test("leaves a run that has ended as it is", async () => {
    await seedThree();
    expect(await rig.track(["end", "bad", "--status", "finished"])).toMatchObject({
      exitCode: 0,
      stderr: `track: ended already: ${bad} (bad), FAILED\n`,
    });
    expect((await readRun(bad)).info).toMatchObject({ status: "FAILED", endTime: now - 20_000 });
  });

  test("refuses a deleted run, one that is alive here and one that was alive a moment ago elsewhere", async () => {
    await seedThree();
    await setTags(open, { [trackTags.process]: aliveHere() });
    expect(await rig.track(["end", "open"])).toMatchObject({
      exitCode: 1,
      stderr: `track: the run is alive: ${open} (open)\nhint: stop its command; track wait cccc1000 tells when it has ended\n`,
    });
    await setTags(open, { [trackTags.process]: elsewhere, [trackTags.heartbeat]: String(now - 60_000) });
    expect((await rig.track(["end", "open"])).stderr).toContain("the run was alive 1m00s ago on node7");
    await rig.track(["rm", "open", "--force"]);
    expect((await rig.track(["end", open])).stderr).toContain("hint: track restore cccc1000\n");
  });
});
