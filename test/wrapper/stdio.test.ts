import { readFileSync, statSync, writeFileSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { WrapperBench } from "./harness.ts";

const bench = new WrapperBench();
afterAll(() => bench[Symbol.dispose]());
beforeEach(() => bench.remove("raw", "info", "out", "pid", "ready", "late"));
const capturing = { WRAP_SPOOL: bench.path("raw"), WRAP_INFO: bench.path("info") };

describe("what the command sees", () => {
  test.for([
    ["terminal for all", ""],
    ["stdin closed to the terminal", "</dev/null"],
    ["stdout to a pipe", "| cat"],
    ["stderr to a pipe", "2> >(cat)"],
    ["both to a pipe", "2>&1 | cat"],
    ["stdout to a file", ">$D/out; cat $D/out"],
    ["all elsewhere", "</dev/null 2>/dev/null | cat"],
  ] as const)("isatty and size are the same: %s", async ([, redirection]) => {
    const code =
      "import os; print([os.isatty(n) for n in (0,1,2)], [tuple(os.get_terminal_size(n)) for n in (0,1,2) if os.isatty(n)])";
    const script = (wrapper: string): string =>
      `stty rows 31 cols 97; ${wrapper} python3 -S -c '${code}' ${redirection}; sleep 0.1`;
    const bare = await bench.onTerminal([], ["bash", "-c", script("")], capturing);
    const wrapped = await bench.onTerminal([], ["bash", "-c", script('"$track"')], capturing);
    expect(bare.output).toMatch(/True|False/u);
    expect(wrapped.output).toBe(bare.output);
  });

  test("/dev/stderr and /dev/stdout can be opened when they are pipes", async () => {
    const script = `"$track" sh -c 'echo o >/dev/stdout; echo e >/dev/stderr' 2>&1 | cat`;
    const { stdout } = await bench.bash(script, capturing);
    expect(stdout.toString()).toBe("o\ne\n");
    expect(bench.read("raw")).toBe("o\ne\n");
  });

  test.for(["", "| cat", "2>&1 | cat"])(
    "no descriptor is non-blocking, also of those that others hold: %s",
    async (redirection) => {
      const look =
        "import fcntl,os,time; print([fcntl.fcntl(n,fcntl.F_GETFL) & os.O_NONBLOCK for n in (0,1,2)], flush=True)";
      const inner = `python3 -S -c '${look}; time.sleep(.3); print([fcntl.fcntl(n,fcntl.F_GETFL) & os.O_NONBLOCK for n in (0,1,2)])'`;
      const script = `(exec 8>&1 9>&2; "$track" ${inner} & sleep .25; ${look.replace(/^.*$/u, `python3 -S -c 'import fcntl,os; print([fcntl.fcntl(n,fcntl.F_GETFL) & os.O_NONBLOCK for n in (0,8,9)])'`)}; wait) ${redirection}`;
      const { output } = await bench.onTerminal([], ["bash", "-c", script], capturing);
      expect(output.match(/\[.*?\]/gu)).toEqual(["[0, 0, 0]", "[0, 0, 0]", "[0, 0, 0]"]);
    },
  );

  test("a pipe takes a large write whole", async () => {
    const code = "import os; print(os.write(1, b'x' * 300000))";
    const { stdout } = await bench.bash(`"$track" python3 -S -c "${code}" | (sleep 0.2; tail -c 7)`, capturing);
    expect(stdout.toString().trim()).toBe("300000");
  });

  test("descriptors above 2 come through", async () => {
    const { stdout } = await bench.bash(`
echo three >$D/three; echo seven >$D/seven
"$track" sh -c 'cat <&3; cat <&7' 3<$D/three 7<$D/seven
"$track" cat <(echo substituted)`);
    expect(stdout.toString()).toBe("three\nseven\nsubstituted\n");
  });

  test("both ends of the caller's own pipe come through", async () => {
    const code = `
import os, subprocess
r, w = os.pipe()
inner = "import os; os.write(%d, b'through'); print(os.read(%d, 7))" % (w, r)
print(subprocess.run([os.environ["track"], "python3", "-S", "-c", inner], pass_fds=(r, w)).returncode)`;
    const { stdout } = await bench.run(["python3", "-c", code], { env: { ...process.env, track: bench.track } });
    expect(stdout.toString()).toBe("b'through'\n0\n");
  });

  test("make's jobserver comes through", async () => {
    writeFileSync(bench.path("Makefile"), 'all:\n\t+@"$(track)" $(MAKE) -s x\nx: a b\na b:\n\t@echo $@\n');
    const { stdout } = await bench.bash("make -s -j2 -C $D 2>&1");
    expect(stdout.toString().split("\n").toSorted()).toEqual(["", "a", "b"]);
  });
});

describe("what is captured", () => {
  test("binary output, byte for byte, both in the pipe and in the spool", async () => {
    await bench.bash('head -c 50000000 /dev/urandom >$D/random; "$track" cat $D/random | cat >$D/out', capturing);
    expect(statSync(bench.path("out")).size).toBe(50_000_000);
    const { exitCode } = await bench.bash("cmp $D/random $D/out && cmp $D/random $D/raw");
    expect(exitCode).toBe(0);
  });

  test("terminal output, byte for byte, with the terminal's own line ends", async () => {
    const code =
      "import sys; w=sys.stdout.buffer.write; [w(b'line %d\\r\\n\\ttab\\r%d%%\\n' % (n, n)) for n in range(3000)]";
    const bare = await bench.onTerminal([], ["python3", "-S", "-c", code]);
    const wrapped = await bench.onTerminal([], [bench.track, "python3", "-S", "-c", code], capturing);
    expect(wrapped.output).toBe(bare.output);
    const { stdout } = await bench.run(["python3", "-S", "-c", code]);
    expect(readFileSync(bench.path("raw")).equals(stdout)).toBe(true);
  });

  test("stdout and stderr keep their order when they are one file", async () => {
    const loop = "for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done";
    const { stdout } = await bench.bash(`"$track" sh -c '${loop}' 2>&1 | cat`, capturing);
    const expected = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `o${n}\ne${n}\n`).join("");
    expect(stdout.toString()).toBe(expected);
    expect(bench.read("raw")).toBe(expected);
  });

  test("a file is written by the command itself and named with the offset where it begins", async () => {
    await bench.bash(
      `echo earlier >$D/out; "$track" sh -c 'echo own; stat -Lc %i /proc/self/fd/1' >>$D/out`,
      capturing,
    );
    const [first, second, inode] = bench.read("out").split("\n");
    expect([first, second, inode]).toEqual(["earlier", "own", String(statSync(bench.path("out")).ino)]);
    const info = JSON.parse(bench.read("info")) as { console: unknown };
    expect(info.console).toMatchObject({ kind: "files" });
    expect(JSON.stringify(info.console)).toContain(`{"path":"${bench.path("out")}","offset":8}`);
  });

  test("carriage returns of a progress bar come at once", async () => {
    const code =
      "import time; [print('\\r%d%%' % n, end='', flush=True) or time.sleep(.05) for n in range(5)]; time.sleep(5)";
    const steps = [{ expect: "\r3%" }, { send: "\u0003" }];
    const { failed, output } = await bench.onTerminal(steps, [bench.track, "python3", "-S", "-c", code], capturing);
    expect(failed).toBeNull();
    expect(output.split("\r").length).toBeGreaterThanOrEqual(4);
  });

  test("a full disk ends the capture and nothing else", async () => {
    const script = `ulimit -f 1024; "$track" sh -c 'trap "" XFSZ; head -c 5000000 /dev/zero' 2>$D/late | wc -c`;
    const { stdout } = await bench.bash(script, capturing);
    expect(stdout.toString().trim()).toBe("5000000");
    expect(bench.read("late")).toMatch(/^track: console output is no longer captured: EFBIG[^\n]*\n$/u);
  });

  test("what cannot be captured is said, and runs", async () => {
    const { stdout, stderr, exitCode } = await bench.bash(
      '"$track" sh -c "echo fine; exit 3" | cat; exit ${PIPESTATUS[0]}',
      {
        WRAP_SPOOL: "/nowhere/raw",
      },
    );
    expect([stdout.toString(), exitCode]).toEqual(["fine\n", 3]);
    expect(stderr).toMatch(/^track: console output is no longer captured: ENOENT/u);
  });

  test("a socket for output", async () => {
    const { stdout, exitCode } = await bench.run([bench.track, "sh", "-c", "seq 100000; exit 4"], {
      env: { ...process.env, ...capturing },
    });
    expect([stdout.toString().split("\n").length, exitCode]).toEqual([100_001, 4]);
    expect(bench.read("raw")).toBe(stdout.toString());
  });

  test("/dev/full fails for the command as it does bare", async () => {
    const { stdout } = await bench.bash(
      `"$track" sh -c 'echo x' >/dev/full 2>$D/late; echo $?; cat $D/late`,
      capturing,
    );
    expect(stdout.toString()).toMatch(/^[12]\n.*(?:No space left|I\/O error)/u);
  });
});

describe("the end", () => {
  test("a command that closes its output and goes on is waited for", async () => {
    const before = performance.now();
    const { stdout } = await bench.bash(
      `"$track" sh -c 'exec >&- 2>&-; sleep 0.5; exit 4' 2>&1 | cat; echo \${PIPESTATUS[0]}`,
      capturing,
    );
    expect(stdout.toString()).toBe("4\n");
    expect(performance.now() - before).toBeGreaterThan(500);
  });

  test("a process that outlives the command keeps its reader, its spool and its life", async () => {
    const script = `
start=$(date +%s%N)
"$track" sh -c '(sleep 0.6; echo late; echo $? >$D/late) & echo early; exit 5' 2>&1 | (cat; echo end)
echo "\${PIPESTATUS[0]}"`;
    const timed = `{ "$track" sh -c '(sleep 1.5; echo late) & exit 5' 3>&-; echo $? >$D/ready; } | cat & sleep 1; cat $D/ready; wait`;
    const { stdout } = await bench.bash(script, capturing);
    expect(stdout.toString()).toBe("early\nlate\nend\n5\n");
    expect(bench.read("late")).toBe("0\n");
    expect(bench.read("raw")).toBe("early\nlate\n");
    expect((await bench.bash(timed, capturing)).stdout.toString()).toBe("5\nlate\n");
  });

  test("the same on a terminal", async () => {
    const script = `"$track" sh -c '(trap "" HUP; sleep 0.4; printf "a\\nlate\\n") & echo early; exit 5'; echo "code $?"; sleep 1`;
    const { output } = await bench.onTerminal(
      [{ expect: "code 5" }, { expect: "late" }],
      ["bash", "-c", script],
      capturing,
    );
    expect(output).toBe("early\r\ncode 5\r\na\r\nlate\r\n");
    expect(bench.read("raw")).toBe("early\na\nlate\n");
  });

  test("a slow reader gets all of it before the wrapper ends", async () => {
    const script = `{ "$track" seq 30000; echo "ended $?" >&2; } 2>$D/late | (sleep 0.5; test -s $D/late || echo still waiting; cat | wc -l)`;
    const { stdout } = await bench.bash(script, capturing);
    expect(stdout.toString()).toBe("still waiting\n30000\n");
  });

  test("a changed terminal setting stays", async () => {
    const { output } = await bench.onTerminal(
      [],
      ["bash", "-c", '"$track" stty -echo -onlcr; stty -a; "$track" stty onlcr'],
      capturing,
    );
    expect(output).toMatch(/-echo\b/u);
    expect(output).toMatch(/-onlcr/u);
  });

  test("a new window size reaches the command", async () => {
    const code = `
import os, signal, sys
def show(*_): print(tuple(os.get_terminal_size(1)), flush=True)
signal.signal(signal.SIGWINCH, show)
print("ready", flush=True)
while True: signal.pause()`;
    const steps = [{ expect: "ready" }, { size: [40, 123] }, { expect: "(123, 40)" }, { send: "\u0003" }];
    const { failed } = await bench.onTerminal(steps, [bench.track, "python3", "-S", "-c", code], capturing);
    expect(failed).toBeNull();
  });
});
