import { existsSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { waitFor } from "../rig.ts";
import { MatrixBench } from "./matrix-bench.ts";

const isFull = process.env["TRACK_TEST_FULL"] === "1";
const bench = new MatrixBench();
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => bench.remove("pid", "ready", "log", "err"));

const printer = 'exec "$track" python3 -S $P/print-signals.py $D/pid';
/** Sends with `send`, which knows $child, $wrapper, $canary; then TERM ends the printer. */
const sending = (send: string): string => `
set -m
"$track" python3 -S $P/print-signals.py $D/pid >$D/log 2>$D/err &
wrapper=$!
until [ -s $D/pid ]; do sleep 0.01; done
child=$(cat $D/pid)
for p in $(cat /proc/$wrapper/task/$wrapper/children); do grep -qa track-canary /proc/$p/cmdline && canary=$p; done
${send}
for i in $(seq 100); do [ $(wc -l <$D/log) -gt 1 ] && break; sleep 0.02; done
sleep 0.15
kill -TERM $child
wait $wrapper
echo $?
`;
const seen = (): string[] => bench.read("log").trim().split("\n").slice(1, -1);

describe("each signal reaches the command once", () => {
  test.for([
    ["S1 ^C", "\u0003", "INT"],
    ["S2 ^\\", "\u001c", "QUIT"],
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

  test.for(["INT", "HUP", "QUIT", "USR1", "USR2", "ALRM"])("S3 %s sent to the wrapper alone", async (name) => {
    const { stdout } = await bench.bash(sending(`kill -${name} $wrapper`));
    expect([seen(), stdout.toString(), bench.read("err")]).toEqual([[name], "7\n", ""]);
  });

  test("S3 TERM sent to the wrapper alone, and all of them within 50 ms", async () => {
    const { stdout } = await bench.python(`
import os, signal, statistics, subprocess, time
p = subprocess.Popen([os.environ["track"], "python3", "-S", os.environ["P"] + "/print-signals.py", "pid"], stdout=subprocess.PIPE)
assert p.stdout.readline() == b"ready\\n"
times = []
for name in ["INT", "USR1", "USR2", "HUP", "ALRM", "QUIT"] * 2 + ["TERM"]:
    sent = time.monotonic()
    os.kill(p.pid, getattr(signal, "SIG" + name))
    line = p.stdout.readline().decode().strip()
    times.append(1000 * (time.monotonic() - sent))
    assert line == name, (line, name)
    time.sleep(0.03)
print(p.stdout.read(), p.wait(), statistics.median(times) < 50)`);
    expect(stdout.toString()).toBe("b'' 7 True\n");
  });

  test("S6 USR1 opens no inspector", async () => {
    const look = `grep -q ":240D" /proc/net/tcp && echo open >>$D/err; kill -USR1 $wrapper; sleep 0.2; grep ":240D" /proc/net/tcp >>$D/err`;
    await bench.bash(sending(look));
    expect([seen(), bench.read("err")]).toEqual([["USR1"], ""]);
  });

  test.for(["INT", "HUP", "USR1"])("S4 %s sent to the group", async (name) => {
    await bench.bash(sending(`kill -${name} -$wrapper`));
    expect(seen()).toEqual([name]);
  });

  test("S3, S5 to the wrapper alone, later to all, the wrapper hearing of it last", async () => {
    await bench.bash(
      sending(`kill -INT $wrapper; sleep 0.1
for p in $(cat /proc/$wrapper/task/$wrapper/children); do grep -qa track-canary /proc/$p/cmdline && canary=$p; done
python3 -S -c "import os, time; os.kill($child, 2); os.kill($canary, 2); time.sleep(0.003); os.kill($wrapper, 2)"`),
    );
    expect(seen()).toEqual(["INT", "INT"]);
  });

  test.for([
    "kill -INT $wrapper $child $canary",
    "kill -INT $canary $child $wrapper",
    "kill -INT $child; sleep 0.02; kill -INT $canary; sleep 0.02; kill -INT $wrapper",
    "kill -INT $wrapper; kill -INT $canary; sleep 0.1; kill -INT $child",
  ])("S5 sent to every process one by one: %s", async (send) => {
    await bench.bash(sending(send));
    expect(seen()).toEqual(["INT"]);
  });

  test.for([0.15, 0.01])("S8 five times ^C, %f s apart", async (gap) => {
    const keys = Array.from({ length: 5 }, () => [{ send: "\u0003" }, { sleep: gap }]).flat();
    const steps = [{ expect: "ready" }, ...keys, { sleep: 0.2 }, { signal: "TERM", file: bench.path("pid") }];
    const { output } = await bench.onTerminal(steps, ["bash", "-c", printer]);
    const count = output.match(/INT/gu)?.length ?? 0;
    // Two that come before the command gets the processor are one to it, bare as well; never may there be more.
    expect(count).toBeLessThanOrEqual(5);
    expect(count).toBeGreaterThanOrEqual(gap > 0.1 ? 5 : 4);
  });

  test("S7 a clean-up after ^C is left alone to finish", async () => {
    const code =
      "import time\ntry:\n  print('ready',flush=True);time.sleep(9)\nexcept KeyboardInterrupt:\n  time.sleep(.3);print('SAVED')";
    const { output, status } = await bench.onTerminal(
      [{ expect: "ready" }, { send: "\u0003" }],
      [bench.track, "python3", "-S", "-c", code],
    );
    expect({ saved: output.includes("SAVED"), status }).toEqual({ saved: true, status: 0 });
  });
});

test("S4 a group signal in the first moments reaches the command once", async () => {
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
  const { stdout } = await bench.python(code, bench.path("log"));
  // Python itself ends with 1 when it is interrupted while it starts, wrapped or bare.
  const allowed = ["died ", "1 ", "0 started got"];
  const results = JSON.parse(stdout.toString().replaceAll("'", '"')) as string[];
  expect(results.filter((result) => !allowed.includes(result))).toEqual([]);
});

test("S4 a group signal while the command is being made reaches it once", async () => {
  const rounds = isFull ? 400 : 24;
  const { stdout } = await bench.run([bench.compiled("signal-at-birth"), "aim", String(rounds), "5000", bench.track]);
  const { ended, once, lost, twice, other } = JSON.parse(stdout.toString()) as Record<string, number>;
  expect({ other, sum: (ended ?? 0) + (once ?? 0) + (lost ?? 0) + (twice ?? 0) }).toEqual({ other: 0, sum: rounds });
  // What the kernel shows leaves a command in doubt that catches the signal within the moment that the wrapper waits for the processor.
  expect({ lost, twice }).toSatisfy(
    () => (lost ?? 0) + (twice ?? 0) <= Math.max(1, rounds / 40),
    `lost or twice: ${stdout.toString()}`,
  );
}, 300_000);

test("S9 a command that ignores TERM keeps the wrapper; its own death by KILL is the wrapper's", async () => {
  const { stdout } = await bench.bash(`
"$track" sh -c 'trap "" TERM; echo $$ >$D/pid; while :; do sleep 0.05; done' & w=$!
until [ -s $D/pid ]; do sleep 0.01; done
kill -TERM $w; sleep 0.1; kill -TERM $w; sleep 0.1
kill -0 $w && echo alive
kill -KILL $(cat $D/pid); wait $w; echo $?`);
  expect(stdout.toString()).toBe("alive\n137\n");
});

test("S11 nohup: a hang-up of the group ends neither", async () => {
  const { stdout } = await bench.bash(`
set -m
(trap "" HUP; exec "$track" sh -c 'echo $$ >$D/pid; sleep 0.3; echo finished') & w=$!
until [ -s $D/pid ]; do sleep 0.01; done
kill -HUP -$w; wait $w; echo $?`);
  expect(stdout.toString()).toBe("finished\n0\n");
});

test("S22 a signal sent to the wrapper does not reach what the command has started", async () => {
  const { stdout } = await bench.bash(`
"$track" sh -c 'trap "echo child" USR2; sh -c "trap \\"echo grandchild\\" USR2; echo >\\$D/ready; sleep 0.4" & wait; wait' & w=$!
until [ -e $D/ready ]; do sleep 0.01; done
kill -USR2 $w; wait $w`);
  expect(stdout.toString()).toBe("child\n");
});

test("S10 a slow graceful end is waited for", async () => {
  const { stdout } = await bench.bash(`
"$track" sh -c 'trap "sleep 1; exit 0" TERM; echo >$D/ready; while :; do sleep 0.02; done' & w=$!
until [ -e $D/ready ]; do sleep 0.01; done
begin=$(date +%s%N); kill -TERM $w; wait $w; echo "$? $((($(date +%s%N) - begin) / 1000000))"`);
  const [code, ms] = stdout.toString().split(" ").map(Number);
  expect(code).toBe(0);
  expect(ms).toBeGreaterThanOrEqual(1000);
});

test("S11 nohup itself: the command outlives the session, and its run is told", async () => {
  const { stdout } = await bench.bash(`
setsid nohup "$track" sh -c 'echo $$ >$D/pid; sleep 0.4; echo finished' >$D/log 2>&1 & w=$!
until [ -s $D/pid ]; do sleep 0.01; done
kill -HUP -$w; wait $w; echo $?; cat $D/log`);
  expect(stdout.toString()).toMatch(/^0\n(?:nohup: [^\n]*\n)?finished\n$/u);
  expect((await bench.lastRun()).status).toBe("FINISHED");
});

test("S14 SIGPIPE ignored by the caller: the command hears of it by an error", async () => {
  const { stdout, stderr } = await bench.bash(`trap '' PIPE; "$track" yes | head -1; echo "\${PIPESTATUS[@]}"`);
  expect([stdout.toString(), stderr]).toEqual(["y\n1 0\n", "yes: standard output: Broken pipe\n"]);
});

test("S15 SIGCHLD ignored by the caller", async () => {
  const { stdout } = await bench.python(`
import os, signal, subprocess
for command in (["true"], ["sh", "-c", "exit 5"]):
    print(subprocess.run([os.environ["track"], *command], preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN), timeout=10).returncode)`);
  expect(stdout.toString()).toBe("0\n5\n");
});

test("S16 a terminal that hangs up: the command gets HUP once, its run is told", async () => {
  const code = `
import os, signal, sys, time
log = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
signal.signal(signal.SIGHUP, lambda *_: os.write(log, b"HUP "))
print("ready", flush=True)
signal.pause()
time.sleep(0.4)
os.write(log, b"end")
sys.exit(5)`;
  const { status } = await bench.onTerminal(
    [{ expect: "ready" }, { close: true }],
    [bench.track, "python3", "-S", "-c", code],
  );
  expect([bench.read("log"), status]).toEqual(["HUP end", 5]);
  expect(await bench.lastRun()).toMatchObject({ status: "FAILED", tags: { "track.exit_code": "5" } });
});

test("S17 a new window size reaches the command", async () => {
  const code = `
import os, signal, sys
def show(*_): print(tuple(os.get_terminal_size(1)), flush=True)
signal.signal(signal.SIGWINCH, show)
print("ready", flush=True)
while True: signal.pause()`;
  const steps = [{ expect: "ready" }, { size: [40, 123] }, { expect: "(123, 40)" }, { send: "\u0003" }];
  const { failed } = await bench.onTerminal(steps, [bench.track, "python3", "-S", "-c", code]);
  expect(failed).toBeNull();
  // What the command has started belongs to the terminal as well.
  const inner = ["sh", "-c", '"$@"; exit 3', "sh", "python3", "-S", "-c", code];
  expect(await bench.onTerminal(steps, [bench.track, ...inner])).toMatchObject({ failed: null });
});

test("S17 a window that was resized while the command was stopped", async () => {
  const code = `
import os, sys, time
while True: print(tuple(os.get_terminal_size(1)), flush=True); time.sleep(0.05)`;
  const script =
    'set -m; "$track" python3 -S -c "$code"; echo stopped; until [ -e $D/resized ]; do sleep 0.01; done; fg >/dev/null';
  const steps = [
    { size: [24, 80] },
    { expect: "(80, 24)" },
    { send: "\u001a" },
    { expect: "stopped" },
    { size: [40, 123] },
    { touch: bench.path("resized") },
    { expect: "(123, 40)" },
    { send: "\u0003" },
  ];
  const { failed } = await bench.onTerminal(steps, ["bash", "-c", script], { code });
  expect(failed).toBeNull();
});

test("S18 a signal in the first milliseconds ends the wrapper, and no run stays RUNNING", async () => {
  const { stdout } = await bench.python(`
import os, signal, subprocess, time
for delay in [1, 2, 4, 6, 8, 10, 12, 14, 17, 20, 25, 30]:
    p = subprocess.Popen([os.environ["track"], "sh", "-c", "exec sleep 5"])
    time.sleep(delay / 1000)
    p.terminate()
    print(p.wait(), end=" ")
`);
  expect(stdout.toString()).toBe("-15 ".repeat(12));
  await bench.run([bench.launcher, "ls"]);
  const running = (await bench.runs().catch(() => [])).filter(({ info }) => info.status === "RUNNING");
  expect(running).toEqual([]);
});

test("S19 ^C while the store is waited for ends the wait, with the command's own code", async () => {
  await bench.run([bench.track, "true"]);
  const hold = `import sqlite3, time
c = sqlite3.connect("mlflow.db", isolation_level=None)
c.execute("BEGIN EXCLUSIVE")
open("ready", "w").close()
time.sleep(3)`;
  const script = `python3 -c '${hold}' & until [ -e $D/ready ]; do sleep 0.01; done; "$track" sh -c "echo said; exit 3"; echo "code $?"; wait`;
  const steps = [{ expect: "said" }, { sleep: 0.6 }, { send: "\u0003" }, { expect: "code 3", within: 0.5 }];
  const { failed } = await bench.onTerminal(steps, ["bash", "-c", script]);
  expect(failed).toBeNull();
});

test("S20 a grandchild that dies of a group signal, which the command catches", async () => {
  const inner = `
import os, signal, subprocess, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
p = subprocess.Popen(["sleep", "9"])
open("ready", "w").close()
sys.exit(0 if p.wait() == -10 else 1)`;
  const { stdout } = await bench.python(
    `
import os, signal, subprocess, sys, time
p = subprocess.Popen([os.environ["track"], "python3", "-S", "-c", sys.argv[1]], start_new_session=True)
while not os.path.exists("ready"): time.sleep(0.01)
time.sleep(0.1)
os.killpg(p.pid, signal.SIGUSR1)
print(p.wait())`,
    inner,
  );
  expect(stdout.toString()).toBe("0\n");
});

test("S21 under timeout: 124 and TERM once; with -k 137; nothing is left", async () => {
  const code = `
import os, signal, time
log = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
signal.signal(signal.SIGTERM, lambda *_: os.write(log, b"TERM "))
while not open("log").read(): time.sleep(0.05)
time.sleep(0.3)`;
  const { stdout } = await bench.bash(`timeout 1 "$track" python3 -S -c '${code}'; echo $?
timeout -k 0.3 0.5 "$track" sh -c 'trap "" TERM; echo $$ >$D/pid; while :; do sleep 0.05; done'; echo $?`);
  expect([stdout.toString(), bench.read("log")]).toEqual(["124\n137\n", "TERM "]);
  await waitFor(() => !existsSync(`/proc/${bench.read("pid").trim()}`), { what: "the command is gone" });
});

describe("a limit of time of our own", () => {
  test("TERM, then KILL after the grace", async () => {
    const env = { WRAP_OPTIONS: "--timeout 300ms --grace 200ms" };
    const command = ["sh", "-c", 'trap "echo got" TERM; while :; do sleep 0.05; done'];
    const { exitCode, stdout } = await bench.run([bench.track, ...command], { env });
    expect([exitCode, stdout.toString()]).toEqual([124, "got\n"]);
  });
});
