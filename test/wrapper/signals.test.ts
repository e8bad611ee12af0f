import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { WrapperBench } from "./harness.ts";

const bench = new WrapperBench();
afterAll(() => bench[Symbol.dispose]());
beforeEach(() => bench.remove("pid", "info", "log"));

const printer = 'exec "$track" python3 -S $P/print-signals.py $D/pid';
/** Sends with `send`, which knows $child, $wrapper, $canary; then TERM ends the printer. */
const sending = (send: string): string => `
set -m
WRAP_INFO=$D/info "$track" python3 -S $P/print-signals.py $D/pid >$D/log 2>$D/err &
wrapper=$!
until [ -s $D/pid ] && [ -s $D/info ]; do sleep 0.01; done
child=$(cat $D/pid)
for p in $(cat /proc/$wrapper/task/$wrapper/children); do grep -qa track-canary /proc/$p/cmdline && canary=$p; done
${send}
sleep 0.15
kill -TERM $child
wait $wrapper
echo $?
`;
const seen = (): string[] => bench.read("log").trim().split("\n").slice(1, -1);

describe("each signal reaches the command once", () => {
  test.for([
    ["^C", "\u0003", "INT"],
    ["^\\", "\u001c", "QUIT"],
  ] as const)("%s on the terminal", async ([, key, name]) => {
    const steps = [
      { expect: "ready" },
      { send: key },
      { expect: name },
      { sleep: 0.15 },
      { signal: "TERM", file: bench.path("pid") },
    ];
    const { output, status, failed } = await bench.onTerminal(steps, ["bash", "-c", printer]);
    expect({ failed, status }).toEqual({ failed: null, status: 7 });
    expect(output.split("\r\n").filter((line) => line.endsWith(name))).toHaveLength(1);
  });

  test.for(["INT", "HUP", "QUIT", "USR1", "USR2", "ALRM"])("%s sent to the wrapper alone", async (name) => {
    const { stdout } = await bench.bash(sending(`kill -${name} $wrapper`));
    // Node would open its inspector on USR1 and say so.
    expect([seen(), stdout.toString(), bench.read("err")]).toEqual([[name], "7\n", ""]);
  });

  test.for(["INT", "HUP", "USR1"])("%s sent to the group", async (name) => {
    await bench.bash(sending(`kill -${name} -$wrapper`));
    expect(seen()).toEqual([name]);
  });

  test.for([
    "kill -INT $wrapper $child $canary",
    "kill -INT $canary $child $wrapper",
    "kill -INT $child; sleep 0.02; kill -INT $canary; sleep 0.02; kill -INT $wrapper",
    "kill -INT $wrapper; kill -INT $canary; sleep 0.1; kill -INT $child",
  ])("sent to every process one by one: %s", async (send) => {
    await bench.bash(sending(send));
    expect(seen()).toEqual(["INT"]);
  });

  test.for([0.15, 0.01])("five times ^C, %f s apart", async (gap) => {
    const keys = Array.from({ length: 5 }, () => [{ send: "\u0003" }, { sleep: gap }]).flat();
    const steps = [{ expect: "ready" }, ...keys, { sleep: 0.2 }, { signal: "TERM", file: bench.path("pid") }];
    const { output } = await bench.onTerminal(steps, ["bash", "-c", printer]);
    expect(output.match(/INT/gu)).toHaveLength(5);
  });

  test("a clean-up after ^C is left alone to finish", async () => {
    const code =
      "import time\ntry:\n  print('ready',flush=True);time.sleep(9)\nexcept KeyboardInterrupt:\n  time.sleep(.3);print('SAVED')";
    const { output, status } = await bench.onTerminal(
      [{ expect: "ready" }, { send: "\u0003" }],
      [bench.track, "python3", "-S", "-c", code],
    );
    expect({ saved: output.includes("SAVED"), status }).toEqual({ saved: true, status: 0 });
  });
});

test("a group signal in the first moments reaches the command once", async () => {
  const code = `
import os, signal, subprocess, sys, time
command = """import os, signal, time
log = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
signal.signal(signal.SIGINT, lambda *_: os.write(log, b"got "))
os.write(log, b"started ")
time.sleep(0.2)"""
results = {}
for delay in [d / 1000 for d in range(10, 90, 4)]:
    if os.path.exists(sys.argv[1]): os.remove(sys.argv[1])
    p = subprocess.Popen([os.environ["track"], "python3", "-S", "-c", command], start_new_session=True, cwd=os.environ["D"], stderr=subprocess.DEVNULL)
    time.sleep(delay)
    os.killpg(p.pid, signal.SIGINT)
    code = p.wait()
    text = open(sys.argv[1]).read().split() if os.path.exists(sys.argv[1]) else []
    key = ("died" if code == -2 else str(code)) + " " + " ".join(text)
    results[key] = results.get(key, 0) + 1
    if os.path.exists(sys.argv[1]): os.remove(sys.argv[1])
print(sorted(results))
`;
  const { stdout } = await bench.run(["python3", "-c", code, bench.path("log")], {
    env: { ...process.env, track: bench.track, D: bench.folder },
  });
  // Python itself ends with 1 when it is interrupted while it starts, wrapped or bare.
  const allowed = ["died ", "1 ", "0 started got"];
  const results = JSON.parse(stdout.toString().replaceAll("'", '"')) as string[];
  expect(results.filter((result) => !allowed.includes(result))).toEqual([]);
});

test("a command that ignores TERM keeps the wrapper; its own death by KILL is the wrapper's", async () => {
  const { stdout } = await bench.bash(`
"$track" sh -c 'trap "" TERM; echo $$ >$D/pid; while :; do sleep 0.05; done' & w=$!
until [ -s $D/pid ]; do sleep 0.01; done
kill -TERM $w; sleep 0.1; kill -TERM $w; sleep 0.1
kill -0 $w && echo alive
kill -KILL $(cat $D/pid); wait $w; echo $?`);
  expect(stdout.toString()).toBe("alive\n137\n");
});

test("nohup: a hang-up of the group ends neither", async () => {
  const { stdout } = await bench.bash(`
set -m
(trap "" HUP; exec "$track" sh -c 'echo $$ >$D/pid; sleep 0.3; echo finished') & w=$!
until [ -s $D/pid ]; do sleep 0.01; done
kill -HUP -$w; wait $w; echo $?`);
  expect(stdout.toString()).toBe("finished\n0\n");
});

test("a signal sent to the wrapper does not reach what the command has started", async () => {
  const { stdout } = await bench.bash(`
"$track" sh -c 'trap "echo child" USR2; sh -c "trap \\"echo grandchild\\" USR2; echo >\\$D/ready; sleep 0.4" & wait; wait' & w=$!
until [ -e $D/ready ]; do sleep 0.01; done
kill -USR2 $w; wait $w`);
  expect(stdout.toString()).toBe("child\n");
});

test("--timeout: TERM, then KILL after the grace", async () => {
  const { signal, exitCode } = await bench.run(
    [bench.track, "sh", "-c", 'trap "" TERM; while :; do sleep 0.05; done'],
    {
      env: { ...process.env, WRAP_TIMEOUT: "100", WRAP_GRACE: "100" },
    },
  );
  expect({ signal, exitCode }).toEqual({ signal: "SIGKILL", exitCode: null });
});

test("no canary is left, not even as a zombie", async () => {
  const code = `
import ctypes, os, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what the wrapper leaves behind comes to us
subprocess.run([os.environ["track"], "true"])
try:
    print(os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("none")
`;
  const { stdout } = await bench.run(["python3", "-c", code], { env: { ...process.env, track: bench.track } });
  expect(stdout.toString()).toBe("none\n");
});
