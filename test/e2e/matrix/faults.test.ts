import { existsSync, readdirSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { waitFor } from "../rig.ts";
import { MatrixBench } from "./matrix-bench.ts";

const bench = new MatrixBench();
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => bench.remove("mlflow.db", "mlruns", "home/.local", "out", "err", "pid", "sent"));

/** Says something on every way there is, and ends with 5; what of it fails is no business of this command's. */
const command = `
import os, socket, sys, time
open("pid", "w").write(str(os.getpid()))
print("out", flush=True)
print("err", file=sys.stderr, flush=True)
try:
    with open(os.environ["TRACK_LOG"], "a") as log: log.write("x=1\\n")
    s = socket.socket(socket.AF_UNIX); s.connect(os.environ["TRACK_SOCKET"]); s.sendall(b'{"metrics":{"y":2}}\\n')
except (KeyError, OSError): pass
try:
    from urllib.request import urlopen
    urlopen(os.environ["MLFLOW_TRACKING_URI"] + "/health", timeout=5).read()
except (KeyError, OSError, ValueError): pass
time.sleep(float(os.environ["SECONDS_LEFT"]))
print("end", flush=True)
sys.exit(5)`;

interface Faulty {
  readonly faults?: string;
  /** Shell words before the call. */
  readonly setUp?: string;
  readonly seconds?: number;
}

/** The command under `track run`, both streams through pipes. */
async function runFaulty({ faults, seconds = 0.3, setUp = "" }: Faulty) {
  const script = `${setUp}
"$launcher" run --sync-timeout 1s -- python3 -S -c "$command" 2>$D/err | cat >$D/out; echo "\${PIPESTATUS[0]}"`;
  const env = { launcher: bench.launcher, command, SECONDS_LEFT: String(seconds), TRACK_TEST_FAULT: faults };
  const { stdout } = await bench.bash(script, env);
  const lines = bench
    .read("err")
    .split("\n")
    .filter((line) => line !== "");
  return {
    code: stdout.toString().trim(),
    out: bench.read("out"),
    err: lines.filter((line) => !line.startsWith("track: ")),
    told: lines.filter((line) => /^track: .*(?:\bfault|failed|unrecorded|not be recorded|no longer)/u.test(line)),
  };
}

const unharmed = { code: "5", out: "out\nend\n", err: ["err"] };

/** The run as it stands once a later command, without a fault, has looked after it. */
async function repairedRun() {
  await waitFor(async () => {
    await bench.run([bench.launcher, "ls"]);
    return (await bench.lastRun()).status !== "RUNNING";
  });
  return await bench.lastRun();
}

describe("a bug of ours", () => {
  test("E16 before the command is started: it runs unrecorded, and nothing is left of the run", async () => {
    const done = await runFaulty({ faults: "launch" });
    expect(done).toEqual({
      ...unharmed,
      told: [expect.stringMatching(/the command runs unrecorded: .*on purpose: launch$/u)],
    });
    expect(readdirSync(bench.path("home/.local/state/track/journals"))).toEqual([]);
    expect(readdirSync(bench.path("run"))).toEqual([]);
  });

  test.for([
    "hand-over",
    "control",
    "control:recorder",
    "socket",
    "endpoint",
    "monitor",
    "journal",
    "store",
    "capture",
    "end",
  ])("E15 %s: the command, its output and its code are untouched, its run is told", async (place) => {
    const done = await runFaulty({ faults: place });
    expect(done).toMatchObject(unharmed);
    expect(done.told.length).toBeLessThanOrEqual(2);
    expect(await repairedRun()).toMatchObject({ status: "FAILED", tags: { "track.exit_code": "5" } });
    const { run } = await bench.lastRun();
    expect(run.data.metrics.find(({ key }) => key === "x")?.value).toBe(1);
  });

  // A limit like this one makes the launcher start no recorder of its own: the wrapper starts it, once the command runs.
  test.for(["hand-over", "control", "control:recorder", "socket", "journal", "store"])(
    "E15 %s, of a recorder that the wrapper has started",
    async (place) => {
      const done = await runFaulty({ faults: place, setUp: "ulimit -d 16000000" });
      expect(done).toMatchObject(unharmed);
      expect(await repairedRun()).toMatchObject({ status: "FAILED", tags: { "track.exit_code": "5" } });
    },
  );

  test("E15 in the wrapper's signal handler", async () => {
    const script = `"$track" python3 -S $P/print-signals.py $D/pid >$D/out 2>$D/err & w=$!
until [ -s $D/pid ]; do sleep 0.01; done
kill -USR2 $w; sleep 0.1; kill -USR1 $w; sleep 0.1; kill -TERM $w; wait $w; echo $?`;
    const { stdout } = await bench.bash(script, { TRACK_TEST_FAULT: "signal" });
    expect([stdout.toString(), bench.read("out")]).toEqual(["7\n", "ready\nUSR1\nTERM\n"]);
    expect(await repairedRun()).toMatchObject({ status: "FAILED", tags: { "track.exit_code": "7" } });
  });

  test("without one, nothing is told", async () => {
    expect(await runFaulty({ seconds: 0 })).toEqual({ ...unharmed, told: [] });
    expect(existsSync(bench.path("home/.local/state/track/journals"))).toBe(true);
  });
});
