import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { trackTags } from "../../src/entities/tag-keys.ts";
import { readPlace, readStartTicks } from "../../src/util/proc.ts";
import { CommandRig, idOf, now } from "./command-rig.ts";

let rig: CommandRig;

beforeEach(() => {
  rig = new CommandRig();
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  readonly hint?: string;
}

const env = () => ({
  HOME: rig.folder,
  PATH: process.env["PATH"] ?? "",
  XDG_RUNTIME_DIR: rig.folder,
  TMPDIR: rig.folder,
});

async function checks(
  args: readonly string[] = [],
  more: Record<string, string> = {},
): Promise<ReadonlyMap<string, Check>> {
  const { stdout } = await rig.track(["doctor", "--json", ...args], { env: { ...env(), ...more } });
  const document = JSON.parse(stdout) as { readonly checks: readonly Check[] };
  return new Map(document.checks.map((check) => [check.name, check]));
}

const elsewhere = JSON.stringify({ ...readPlace(), host: "node7", machineId: "other" });
const processTag = (value: string) => ({ key: trackTags.process, value });
const heartbeat = (ageMs: number) => ({ key: trackTags.heartbeat, value: String(now - ageMs) });

/** One of each: alive here, silent elsewhere, quiet for a moment elsewhere, dead here without a journal, of plain MLflow. */
async function seedRunning(): Promise<void> {
  const command = { pid: process.pid, startTicks: readStartTicks(process.pid) ?? 0 };
  const gone = { pid: process.pid, startTicks: 1 };
  await rig.seed(
    { runId: idOf("a11e"), tags: [processTag(JSON.stringify({ ...readPlace(), command })), heartbeat(9_000_000)] },
    { runId: idOf("57a1e"), tags: [processTag(elsewhere), heartbeat(7_200_000)] },
    { runId: idOf("9e1e"), tags: [processTag(elsewhere), heartbeat(60_000)] },
    { runId: idOf("dead"), tags: [processTag(JSON.stringify({ ...readPlace(), command: gone })), heartbeat(50_000)] },
    { runId: idOf("b1a1") },
    { runId: idOf("f1e1"), status: "FINISHED" },
  );
}

describe("what is looked at", () => {
  test("in an empty folder all is well, and nothing is made", async () => {
    const found = await checks();
    expect([...found.keys()]).toEqual(
      expect.arrayContaining([
        "node",
        "git",
        "gpu",
        "store",
        "permissions",
        "journals folder",
        "socket folder",
        "disk space",
      ]),
    );
    expect([...found.keys()]).toEqual(
      expect.arrayContaining(["live runs", "journals", "refused entries", "left sockets"]),
    );
    expect(found.get("node")).toEqual({
      name: "node",
      ok: true,
      message: `Node ${process.versions.node}, track 0.1.0`,
    });
    expect(found.get("store")?.message).toBe(`nothing recorded yet: sqlite:///${rig.folder}/mlflow.db`);
    expect(found.get("journals")).toEqual({ name: "journals", ok: true, message: "nothing waits for a store" });
    expect(found.get("disk space")?.message).toMatch(/[\d.]+ [kMGT]?B free for \//u);
  });

  test("in a pipe four fields a line, on a terminal what to do below its line", async () => {
    const all = await rig.track(["doctor"], { env: env() });
    expect(all.lines.every((line) => /^(?:ok|no)\t[a-z ]+\t[^\t]+\t[^\t]*$/u.test(line))).toBe(true);
    writeFileSync(join(rig.folder, "mlflow.db"), "no database at all, but long enough to look at".repeat(20));
    const shown = await rig.track(["doctor"], { env: env(), columns: 100 });
    expect(shown.exitCode).toBe(1);
    expect(shown.stdout).toMatch(/^no {2}store: sqlite:.*not a SQLite database.*\n {4}name a database of MLflow/mu);
  });

  test("no git, an unusable place for journals and sockets", async () => {
    writeFileSync(join(rig.folder, "file"), "");
    const found = await checks([], {
      PATH: "/nowhere",
      XDG_RUNTIME_DIR: join(rig.folder, "none/such"),
      HOME: join(rig.folder, "file"),
    });
    expect(found.get("git")).toMatchObject({ ok: false, hint: "install git" });
    expect(found.get("journals folder")?.message).toContain(join(rig.folder, ".track/journals"));
  });

  test("what the store refused, what waits elsewhere", async () => {
    const journals = join(rig.folder, ".local/state/track/journals");
    const entry = {
      sequence: 3,
      receivedAt: now,
      attempt: 1,
      operation: { op: "delete-tag", runId: idOf("bad"), key: "x" },
    };
    for (const name of ["bad", "far"]) {
      mkdirSync(join(journals, name), { recursive: true });
      const header = {
        runId: idOf(name),
        trackingUri: "sqlite:////x.db",
        command: ["a"],
        wrapper: { pid: 1, startTicks: 1 },
      };
      const place = name === "bad" ? readPlace() : { ...readPlace(), host: "node7", bootId: "other" };
      writeFileSync(join(journals, name, "header.json"), JSON.stringify({ ...header, place }));
    }
    writeFileSync(join(journals, "bad/finished"), "");
    const code = await import("../../src/wire/journal-entry-codec.ts");
    const line = code.encodeEntry(entry as Parameters<typeof code.encodeEntry>[0]);
    writeFileSync(
      join(journals, "bad/refused.ndjson"),
      `{"error":{"code":"INVALID_PARAMETER_VALUE","message":"why not"},"entry":${line}}\n`,
    );
    const found = await checks();
    expect(found.get("refused entries")).toMatchObject({
      ok: false,
      message: `${idOf("bad").slice(0, 8)}: 1 (why not) in ${join(journals, "bad")}`,
    });
    expect(found.get("other journals")).toMatchObject({ ok: true, message: expect.stringContaining("of node7 in ") });
  });

  test("runs that nothing will end any more", async () => {
    await seedRunning();
    // What is certainly lost is ended on the way, as by `ls`.
    expect((await checks()).get("stale runs")).toEqual({
      name: "stale runs",
      ok: false,
      message: "1: 57a1e000 on node7, last heard of 2h00m ago",
      hint: "track doctor --stale ends them",
    });
  });
});

describe("--stale", () => {
  test("ends them as KILLED at their last sign of life, and no other", async () => {
    await seedRunning();
    const result = await rig.track(["doctor", "--stale", "--yes", "--json"], { env: env() });
    expect(result.exitCode).toBe(0);
    expect(new Set((JSON.parse(result.stdout) as { ended: string[] }).ended)).toEqual(
      new Set([idOf("57a1e"), idOf("dead")]),
    );
    await using store = await rig.openStore("read");
    const run = await store.getRun(idOf("57a1e"));
    expect(run.info).toMatchObject({ status: "KILLED", endTime: now - 7_200_000 });
    const tags = Object.fromEntries(run.data.tags.map(({ key, value }) => [key, value]));
    expect(tags[trackTags.endReason]).toBe("lost");
    expect([tags[trackTags.process], tags[trackTags.heartbeat]]).toEqual([undefined, undefined]);
    for (const start of ["a11e", "9e1e", "b1a1"]) expect((await store.getRun(idOf(start))).info.status).toBe("RUNNING");
    expect((await rig.track(["doctor", "--stale", "-y"], { env: env() })).stderr).toBe("track: no stale runs\n");
  });

  test("by another age", async () => {
    await seedRunning();
    const young = await rig.track(["doctor", "--stale", "--older-than", "3h", "-y", "--json"], { env: env() });
    expect(young.stdout).toBe(`{"ended":["${idOf("dead")}"]}\n`);
    const old = await rig.track(["doctor", "--stale", "--older-than", "30s", "-y", "--json"], { env: env() });
    expect(old.stdout).toContain(idOf("9e1e"));
  });

  test("where nobody can be asked nothing is ended", async () => {
    await seedRunning();
    const result = await rig.track(["doctor", "--stale"], { env: env() });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain("track: nobody can be asked here: end 2 of them as KILLED?\nhint: --yes does it");
    await using store = await rig.openStore("read");
    expect((await store.getRun(idOf("57a1e"))).info.status).toBe("RUNNING");
  });
});
