import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { isProcessAlive, readStartTicks } from "../../../src/util/proc.ts";
import { waitFor } from "../rig.ts";
import { MatrixBench } from "./matrix-bench.ts";

const bench = new MatrixBench();
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(async () => {
  await bench.idle();
  bench.remove("mlflow.db", "mlruns", "pid", "late", "ready", "children");
});

describe("what outlives the command", () => {
  test("O1, O2, O3, O4 keeps its reader, its place in the artifact, and its life", async () => {
    const script = `
"$track" sh -c '(sleep 0.6; echo late; echo $? >$D/late) & echo early; exit 5' 2>&1 | (cat; echo end)
echo "\${PIPESTATUS[0]}"`;
    const { stdout } = await bench.bash(script);
    expect(stdout.toString()).toBe("early\nlate\nend\n5\n");
    expect(bench.read("late")).toBe("0\n");
    await bench.expectCaptured("early\nlate\n");
  });

  test("O1 the wrapper ends although a background process holds its output", async () => {
    // The sleep of the shell around is what an end that waits would need.
    const script = `{ "$track" sh -c '(sleep 2.5; echo late) & exit 5' 3>&-; echo $? >$D/ready; } | cat & sleep 1.2; cat $D/ready; wait`;
    expect((await bench.bash(script)).stdout.toString()).toBe("5\nlate\n");
  });

  test("O1, O2, O3 on a terminal", async () => {
    const script = `"$track" sh -c '(trap "" HUP; sleep 0.6; printf "a\\nlate\\n") & echo early; exit 5'; echo "code $?"; sleep 1`;
    const { output } = await bench.onTerminal([{ expect: "code 5" }, { expect: "late" }], ["bash", "-c", script]);
    expect(output).toBe("early\r\ncode 5\r\na\r\nlate\r\n");
    await bench.expectCaptured("early\na\nlate\n");
  });

  test("O6 a daemon in a session of its own survives the end and a kill of the wrapper", async () => {
    const daemon = "setsid sh -c 'echo $$ >$D/pid.part; mv $D/pid.part $D/pid; exec sleep 30' >/dev/null 2>&1 &";
    const ends = ["exit 3", "exec sleep 30"];
    for (const end of ends) {
      bench.remove("pid");
      const script = `"$track" sh -c "$inner" & w=$!; until [ -e $D/pid ]; do sleep 0.02; done; ${end === "exit 3" ? "" : "kill -9 $w;"} wait $w; echo $?`;
      const { stdout } = await bench.bash(script, { inner: `${daemon}\n${end}` });
      expect(stdout.toString()).toBe(end === "exit 3" ? "3\n" : "137\n");
      const pid = Number(bench.read("pid"));
      await new Promise((settle) => setTimeout(settle, 300));
      const startTicks = readStartTicks(pid) ?? 0;
      expect(isProcessAlive({ pid, startTicks })).toBe(true);
      process.kill(pid, "SIGKILL");
    }
  });

  test("O7 no canary is left, not even as a zombie, nor anything else of ours", async () => {
    const code = `
import ctypes, os, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what the wrapper leaves behind comes to us
subprocess.run([os.environ["track"], "true"])
names = set()
deadline = time.monotonic() + 10
while time.monotonic() < deadline:
    try:
        for pid in open("/proc/self/task/%d/children" % os.getpid()).read().split():
            names.add(open("/proc/%s/cmdline" % pid).read().replace("\\0", " ").strip().split("/")[-1].split(" ")[0] or "zombie of " + open("/proc/%s/comm" % pid).read().strip())
        while os.waitpid(-1, os.WNOHANG)[0]: pass
        time.sleep(.005)
    except FileNotFoundError: pass
    except ChildProcessError: break
print(sorted(name for name in names if "recorder" not in name and "node" not in name and "Main" not in name))
`;
    const { stdout } = await bench.python(code);
    expect(stdout.toString()).toBe("[]\n");
  });
});

describe("kill -9 of the wrapper", () => {
  test("O5, O8 the command and the canary are gone within 0.2 s, the run becomes KILLED", async () => {
    const { stdout } = await bench.bash(`
"$track" sh -c 'echo $$ >$D/pid; exec sleep 30' & w=$!
until [ -s $D/pid ]; do sleep 0.01; done
sleep 0.5
cat /proc/$w/task/$w/children >$D/children
kill -9 $w; sleep 0.2
for p in $(cat $D/pid) $(cat $D/children); do grep -Eqsa 'track-canary|sleep.30' /proc/$p/cmdline && echo alive $p; done
wait $w; echo $?`);
    expect(stdout.toString()).toBe("137\n");
    await waitFor(async () => (await bench.lastRun()).status === "KILLED", { what: "the run is KILLED" });
    expect((await bench.lastRun()).tags["track.end_reason"]).toBe("killed");
  });

  test("O8 with its recorder: the next track command ends the run", async () => {
    const { stdout } = await bench.bash(`
"$track" sh -c 'echo $$ >$D/pid; exec sleep 30' & w=$!
until [ -s $D/pid ] && [ -e $D/mlflow.db ]; do sleep 0.02; done
until ls -d $D/mlruns >/dev/null 2>&1 || [ -s $D/mlflow.db ]; do sleep 0.02; done
for p in $(cat /proc/$w/task/$w/children); do grep -qa recorder.cjs /proc/$p/cmdline && recorder=$p; done
kill -STOP $recorder; kill -9 $w $recorder $(cat $D/pid); wait $w; echo $?`);
    expect(stdout.toString()).toBe("137\n");
    await waitFor(() => !existsSync(`/proc/${readFileSync(bench.path("pid"), "utf8").trim()}/exe`));
    await bench.run([bench.launcher, "ls"]);
    expect(await bench.lastRun()).toMatchObject({ status: "KILLED", tags: { "track.end_reason": "lost" } });
  });
});
