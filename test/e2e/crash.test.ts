import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openTrackingStore } from "../../src/store/open-store.ts";
import { installed, metricsOf, processesIn, repository, tagsOf, TrackRig, waitFor } from "./rig.ts";

/** Pids below the rig whose command line holds `text`. */
function pidsOf(rig: TrackRig, text: string): readonly number[] {
  return processesIn(rig.root).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ").includes(text);
    } catch {
      return false;
    }
  });
}

const recorderPids = (rig: TrackRig): readonly number[] => pidsOf(rig, "recorder.cjs");

const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/mu.test(readFileSync(`/proc/${pid}/status`, "utf8"));

/** Another copy of `track`, whose recorder is `source`; the real one lies beside it as `real.cjs`. */
function installWith(rig: TrackRig, source: string): string {
  const copy = join(rig.root, "copy");
  mkdirSync(copy);
  for (const folder of ["bin", "dist"]) cpSync(join(installed, folder), join(copy, folder), { recursive: true });
  symlinkSync(join(repository, "node_modules"), join(copy, "node_modules"));
  cpSync(join(copy, "dist/recorder.cjs"), join(copy, "dist/real.cjs"));
  writeFileSync(join(copy, "dist/recorder.cjs"), source);
  writeFileSync(join(copy, "package.json"), '{"type":"module"}');
  return join(copy, "bin/track");
}

const flood = 'touch ready; i=0; while :; do i=$((i+1)); echo "n=$i step=$i" >> "$TRACK_LOG"; done';

async function startFlood(rig: TrackRig, options: readonly string[] = []) {
  const started = rig.start(["run", ...options, "--", "sh", "-c", `echo $$ > pid; ${flood}`]);
  await waitFor(() => existsSync(join(rig.cwd, "ready")), { what: "the command runs" });
  await waitFor(() => recorderPids(rig).length === 1, { what: "the recorder runs" });
  const command = Number(readFileSync(join(rig.cwd, "pid"), "utf8"));
  return { started, command, wrapper: started.process.pid ?? 0, recorder: recorderPids(rig)[0] ?? 0 };
}

describe("kill -9", () => {
  test("of track kills the command within 0.2 s and ends the run KILLED at once", async () => {
    await using rig = TrackRig.setup();
    const { started, command, wrapper } = await startFlood(rig);
    await waitFor(() => existsSync(join(rig.cwd, "mlflow.db")));
    const killedAt = Date.now();
    process.kill(wrapper, "SIGKILL");
    await waitFor(() => !isAlive(command), { what: "the command is gone" });
    expect(Date.now() - killedAt).toBeLessThan(200);
    await waitFor(async () => (await rig.run()).info.status === "KILLED", { what: "the run is KILLED" });
    const run = await rig.run();
    expect(tagsOf(run)["track.end_reason"]).toBe("killed");
    expect(run.info.endTime).toBeGreaterThanOrEqual(killedAt - 50);
    await started.finished;
    await waitFor(() => recorderPids(rig).length === 0, { what: "the recorder is gone" });
    expect(rig.journalNames()).toEqual([]);
  });

  test("of the recorder: another one goes on, nothing is lost or doubled", async () => {
    await using rig = TrackRig.setup();
    const script =
      'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo "n=$i step=$i" >> "$TRACK_LOG"; [ $i = 500 ] && touch half; done; while [ ! -e killed ]; do sleep 0.02; done; echo "last=1" >> "$TRACK_LOG"';
    const started = rig.start(["run", "--", "sh", "-c", script]);
    await waitFor(() => existsSync(join(rig.cwd, "half")));
    const first = await waitFor(() => recorderPids(rig)[0]);
    process.kill(first, "SIGKILL");
    await waitFor(() => recorderPids(rig).some((pid) => pid !== first), { what: "another recorder" });
    appendFileSync(join(rig.cwd, "killed"), "");
    const done = await started.finished;
    expect(done.code).toBe(0);
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual({ n: 3000, last: 1 });
    await using store = await rig.openStore();
    const history = await store.getMetricHistory(run.info.runId, "n");
    expect(history.items.map((metric) => metric.value)).toEqual(Array.from({ length: 3000 }, (_, index) => index + 1));
  });

  test("of a stopped recorder that gives no sign of life: it is replaced", async () => {
    await using rig = TrackRig.setup();
    const started = rig.start([
      "run",
      "--",
      "sh",
      "-c",
      "while [ ! -e go ]; do sleep 0.05; done; echo x=1 >> $TRACK_LOG",
    ]);
    const first = await waitFor(() => recorderPids(rig)[0]);
    await waitFor(() => existsSync(join(rig.cwd, "mlflow.db")));
    process.kill(first, "SIGSTOP");
    await waitFor(() => recorderPids(rig).some((pid) => pid !== first), {
      what: "another recorder",
      timeoutMs: 20_000,
    });
    appendFileSync(join(rig.cwd, "go"), "");
    expect((await started.finished).code).toBe(0);
    const run = await rig.run();
    expect(run.info.status).toBe("FINISHED");
    expect(metricsOf(run)).toEqual({ x: 1 });
  });

  test("of both: the next track command brings everything home once, and the run is KILLED, lost", async () => {
    await using rig = TrackRig.setup();
    const { started, command, wrapper, recorder } = await startFlood(rig);
    await waitFor(() => existsSync(join(rig.cwd, "mlflow.db")));
    const [journal] = rig.journalNames();
    await waitFor(() => readFileSync(join(rig.journals, journal ?? "", "log"), "utf8").split("\n").length > 2000);
    process.kill(recorder, "SIGKILL");
    process.kill(wrapper, "SIGKILL");
    process.kill(command, "SIGKILL");
    await started.finished;
    const lines = readFileSync(join(rig.journals, journal ?? "", "log"), "utf8").split("\n");
    const whole = lines.slice(0, -1).length + (/^n=\d+ step=\d+$/u.test(lines.at(-1) ?? "") ? 1 : 0);
    const listed = await rig.track(["ls", "--json"]);
    expect(listed.code).toBe(0);
    const run = await rig.run();
    expect(run.info.status).toBe("KILLED");
    expect(tagsOf(run)["track.end_reason"]).toBe("lost");
    expect(tagsOf(run)["track.process"]).toBeUndefined();
    expect(JSON.parse(listed.stdout).runs[0].info.status).toBe("KILLED");
    await using store = await rig.openStore();
    const history = await store.getMetricHistory(run.info.runId, "n");
    expect(history.items).toHaveLength(whole);
    expect(rig.journalNames()).toEqual([]);
  });

  test("of both while the command lives on: the run stays RUNNING and nothing kills the command", async () => {
    await using rig = TrackRig.setup();
    const { command, wrapper, recorder } = await startFlood(rig);
    await waitFor(
      async () => existsSync(join(rig.cwd, "mlflow.db")) && (await rig.runs().catch(() => [])).length === 1,
    );
    process.kill(recorder, "SIGSTOP");
    process.kill(wrapper, "SIGKILL");
    process.kill(recorder, "SIGKILL");
    await waitFor(() => !isAlive(wrapper) && !isAlive(recorder), { what: "both are gone" });
    await rig.track(["ls"]);
    expect((await rig.run()).info.status).toBe("RUNNING");
    expect(isAlive(command)).toBe(true);
    process.kill(command, "SIGKILL");
    await waitFor(() => !isAlive(command));
    await rig.track(["ls"]);
    expect((await rig.run()).info.status).toBe("KILLED");
  });

  test("of track under --survive: the command and its run go on", async () => {
    await using rig = TrackRig.setup();
    const script = "touch ready; while [ ! -e go ]; do sleep 0.05; done; echo x=1 >> $TRACK_LOG; echo done > end";
    const started = rig.start(["run", "--survive", "--capture", "off", "--", "sh", "-c", script]);
    await waitFor(() => existsSync(join(rig.cwd, "ready")) && recorderPids(rig).length === 1);
    await waitFor(() => existsSync(join(rig.cwd, "mlflow.db")));
    process.kill(started.process.pid ?? 0, "SIGKILL");
    appendFileSync(join(rig.cwd, "go"), "");
    await waitFor(() => existsSync(join(rig.cwd, "end")), { what: "the command went on" });
    await waitFor(async () => (await rig.run()).info.status === "KILLED");
    const run = await rig.run();
    expect(tagsOf(run)["track.end_reason"]).toBe("lost");
    expect(tagsOf(run)["track.exit_code"]).toBeUndefined();
    expect(metricsOf(run)).toEqual({ x: 1 });
  });
});

test("a wrapper that is killed by the command's first words takes it along, and the run ends KILLED", async () => {
  await using rig = TrackRig.setup();
  const script = "echo $$ > pid.part; mv pid.part pid; kill -9 $PPID; exec sleep 60";
  const done = await rig.start(["run", "--", "sh", "-c", script]).finished;
  expect(done.signal).toBe("SIGKILL");
  const pid = Number(readFileSync(join(rig.cwd, "pid"), "utf8"));
  await waitFor(() => !isAlive(pid), { what: "the command is gone", timeoutMs: 5000 });
  await waitFor(() => recorderPids(rig).length === 0, { what: "the recorder is gone" });
  expect((await rig.run()).info.status).toBe("KILLED");
  expect(rig.journalNames()).toEqual([]);
});

describe("what the command leaves running", () => {
  test("keeps the recorder, adds to the run, and never changes its status", async () => {
    await using rig = TrackRig.setup();
    const script =
      "(while [ ! -e go ]; do sleep 0.05; done; echo late=1 >> $TRACK_LOG; track log tag phase=late) > /dev/null 2>&1 &\nexit 5";
    const done = await rig.track(["run", "--", "sh", "-c", script]);
    expect(done.code).toBe(5);
    expect((await rig.run()).info.status).toBe("FAILED");
    expect(recorderPids(rig)).toHaveLength(1);
    appendFileSync(join(rig.cwd, "go"), "");
    await waitFor(() => recorderPids(rig).length === 0, { what: "the recorder is gone" });
    const run = await rig.run();
    expect(run.info.status).toBe("FAILED");
    expect(metricsOf(run)).toEqual({ late: 1 });
    expect(tagsOf(run)["phase"]).toBe("late");
    expect(rig.journalNames()).toEqual([]);
    expect(readdirSync(join(rig.root, "run"))).toEqual([]);
  });
});

test("a recorder that cannot start at all leaves the command alone, and the run is told by the next command", async () => {
  await using rig = TrackRig.setup();
  const broken = installWith(rig, "throw new Error('broken on purpose');");
  const done = await rig.spawn(broken, ["run", "--", "sh", "-c", "echo 42; echo n=1 >> $TRACK_LOG; exit 3"]).finished;
  expect(done.stdout).toBe("42\n");
  expect(done.code).toBe(3);
  expect(done.stderr).toContain("the recorder failed three times");
  await rig.track(["ls"]);
  const run = await rig.run();
  expect(run.info.status).toBe("FAILED");
  expect(tagsOf(run)["track.exit_code"]).toBe("3");
  expect(metricsOf(run)).toEqual({ n: 1 });
});

test.each([
  ["dies at once", "process.exit(1);"],
  ["is killed while it boots", "process.kill(process.pid, 'SIGKILL');"],
  ["is stopped while it boots", "process.kill(process.pid, 'SIGSTOP');"],
  ["never comes up", "setInterval(() => {}, 2 ** 30);"],
])("the recorder that is started beside track %s: another one records the run", async (_, fate) => {
  await using rig = TrackRig.setup();
  const track = installWith(
    rig,
    `const { appendFileSync } = require("node:fs");
if (process.argv.includes("--early")) { appendFileSync(${JSON.stringify(join(rig.cwd, "early"))}, "."); ${fate} }
else require("./real.cjs");`,
  );
  const done = await rig.spawn(track, ["run", "--", "sh", "-c", "echo 42; echo n=1 >> $TRACK_LOG; exit 3"]).finished;
  expect(done).toMatchObject({ stdout: "42\n", code: 3 });
  expect(done.stderr).not.toMatch(/failed|cannot|not be recorded/u);
  expect(readFileSync(join(rig.cwd, "early"), "utf8")).toBe(".");
  const run = await rig.run();
  expect(run.info.status).toBe("FAILED");
  expect(metricsOf(run)).toEqual({ n: 1 });
  for (const pid of pidsOf(rig, "--early")) process.kill(pid, "SIGKILL");
});

describe("a client of the socket", () => {
  test("that speaks to a recorder killed in its first moments is heard by the next one", async () => {
    await using rig = TrackRig.setup();
    const client = join(rig.cwd, "client.py");
    writeFileSync(
      client,
      `import json, os, socket
s = socket.socket(socket.AF_UNIX); s.connect(os.environ["TRACK_SOCKET"])
s.sendall(b'{"metrics":{"x":1}}\\n{"flush":true,"id":1}\\n')
open("sent", "w").close()
s.settimeout(20)
try: print(s.recv(1000).decode() or "closed")
except ConnectionError: print("closed")
`,
    );
    const started = rig.start(["run", "--quiet", "--", "python3", client]);
    const first = await waitFor(() => recorderPids(rig)[0]);
    process.kill(first, "SIGKILL");
    const done = await started.finished;
    expect(done.code).toBe(0);
    expect(done.stdout).toMatch(/^(?:closed|\{"id":1,"ok":true\})/u);
    if (done.stdout.startsWith("{")) expect(metricsOf(await rig.run())).toEqual({ x: 1 });
  });

  test("in a run whose name holds a secret: it is stored masked", async () => {
    await using rig = TrackRig.setup();
    const env = { API_TOKEN: "s3cret-value-123" };
    const done = await rig.track(["run", "-n", "try s3cret-value-123", "-p", "api_key=abcdefgh", "--", "true"], {
      env,
    });
    expect(done.stderr).toContain("the value of param api_key looks like a secret");
    const run = await rig.run();
    expect(run.info.runName).toBe("try ***");
    expect(JSON.stringify(run)).not.toContain("s3cret-value-123");
  });
});

test("what the store refuses is set aside and told once; no later command works on it again", async () => {
  await using rig = TrackRig.setup();
  // Too long for the tag that would keep its second value.
  const key = "k".repeat(240);
  const script = `while [ ! -e go ]; do sleep 0.02; done; track log param ${key}=2 && track log metric ok=1`;
  const started = rig.start(["run", "--", "sh", "-c", script]);
  const run = await waitFor(() => rig.run(), { what: "the run is stored" });
  await using store = await openTrackingStore(rig.trackingUri, { mode: "write" });
  await store.logBatch(run.info.runId, { params: [{ key, value: "1" }] });
  await store.logBatch(run.info.runId, { metrics: [{ key: "direct", value: 5, timestamp: 1, step: 0 }] });
  writeFileSync(join(rig.cwd, "go"), "");
  const done = await started.finished;
  expect(done.code).toBe(0);
  expect(done.stderr).toContain("1 entry refused");
  const ended = await rig.run();
  expect(ended.info.status).toBe("FINISHED");
  expect(metricsOf(ended)).toEqual({ direct: 5, ok: 1 });
  expect(done.stderr).toContain("direct 5 | ok 1");
  const [journal = ""] = rig.journalNames();
  await waitFor(() => existsSync(join(rig.journals, journal, "finished")), { what: "the journal is done with" });
  expect(readFileSync(join(rig.journals, journal, "refused.ndjson"), "utf8")).toContain(key);
  const listed = await rig.track(["ls"]);
  expect(listed.stderr).toBe("");
});
