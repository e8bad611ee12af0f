import { existsSync, writeFileSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { MatrixBench } from "./matrix/matrix-bench.ts";
import { metricsOf, waitFor } from "./rig.ts";

const bench = new MatrixBench();
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(async () => {
  await bench.idle();
  bench.remove("mlflow.db", "mlruns", "home/.local", "pid", "go", "out", "end");
});

/** Speaks before and after the wrapper is killed, which `go` says; 300 lines are more than one read. */
const command = `echo $$ >$D/pid; echo early; while [ ! -e $D/go ]; do sleep 0.02; done
seq 300; echo err >&2; echo x=1 >>$TRACK_LOG; echo last; echo $? >$D/end`;
const said = `early\n${Array.from({ length: 300 }, (_, index) => `${index + 1}\n`).join("")}err\nlast\n`;
// Not called `command`: a shim of pyenv before Python would lose it.
const surviving = { WRAP_OPTIONS: "--survive", inner: command };

async function expectRun(): Promise<void> {
  await waitFor(async () => (await bench.lastRun()).status === "KILLED", { what: "the run has ended" });
  const { run, tags } = await bench.lastRun();
  expect([tags["track.end_reason"], tags["track.exit_code"]]).toEqual(["lost", undefined]);
  expect(metricsOf(run)).toEqual({ x: 1 });
  await bench.expectCaptured(said);
}

/** Starts it in the background behind `redirection`, kills the wrapper and lets the command go on. */
const killing = (redirection: string): string => `
"$track" sh -c "$inner" ${redirection} & w=$!
until [ -s $D/pid ] && [ -e $D/mlflow.db ]; do sleep 0.02; done
w=$(awk '/^PPid/ { print $2 }' /proc/$(cat $D/pid)/status); sleep 0.2
kill -9 $w; sleep 0.1; touch $D/go
until [ -s $D/end ]; do sleep 0.02; done; cat $D/end`;

describe("--survive: the wrapper is killed, the command goes on, and", () => {
  test("its output goes on through a pipe, and into the log", async () => {
    const { stdout } = await bench.bash(`{ ${killing("2>&1")} >&3; wait; } 3>$D/out | cat`, surviving);
    expect(stdout.toString()).toBe(said);
    expect(bench.read("out")).toBe("0\n");
    await expectRun();
  });

  test("on a terminal", async () => {
    const script = `${killing("2>&1")} >$D/out; sleep 0.3`;
    const { output } = await bench.onTerminal([{ expect: "last\r\n" }], ["bash", "-c", script], surviving);
    expect(output.replaceAll(/^bash: .*Killed.*\r\n/gmu, "")).toBe(said.replaceAll("\n", "\r\n"));
    expect(bench.read("out")).toBe("0\n");
    await expectRun();
  });

  test("in a file", async () => {
    const { stdout } = await bench.bash(killing(">$D/out 2>&1"), surviving);
    expect([stdout.toString(), bench.read("out")]).toEqual(["0\n", said]);
    await expectRun();
  });

  test("a reader that goes away ends nothing", async () => {
    await bench.bash(`{ ${killing("2>&1")} >&2; } 2>$D/out | head -1`, surviving);
    expect(bench.read("out")).toContain("0\n");
    await expectRun();
  });

  test("nothing stays beside a wrapper that ends by itself, and its output ends with it", async () => {
    const { stdout } = await bench.bash(`"$track" sh -c 'echo out; exit 4' | cat; echo "\${PIPESTATUS[@]}"`, surviving);
    expect(stdout.toString()).toBe("out\n4 0\n");
    const { stdout: left } = await bench.bash("pgrep -f $D/.*[c]onsole.raw | wc -l");
    expect(Number(left.toString())).toBe(0);
  });
});

describe("the console log", () => {
  test("has no line of our own, where stderr is the command's file", async () => {
    const script =
      "echo one; printf half; sleep 0.3; echo line; (while [ ! -e $D/go ]; do sleep 0.02; done; echo late) & exit 3";
    const { exitCode } = await bench.bash(`"$launcher" run -- sh -c "$script" >$D/out 2>&1`, {
      launcher: bench.launcher,
      script,
    });
    expect(exitCode).toBe(3);
    expect(bench.read("out")).toMatch(/^track: run .*\n[^]*\ntrack: FAILED .*\n$/u);
    await bench.expectCaptured("one\nhalfline\n");
    writeFileSync(bench.path("go"), "");
    await bench.expectCaptured("one\nhalfline\nlate\n");
  });

  test("of an endless command takes no more of the disk than its limit lets it", async () => {
    const env = { WRAP_OPTIONS: "--console-limit 1MB" };
    const script = "seq 3000000; touch $D/end; while [ ! -e $D/go ]; do sleep 0.02; done";
    const done = bench.run([bench.track, "sh", "-c", script], { env });
    await waitFor(() => existsSync(bench.path("end")), { what: "all is said" });
    const [journal] = (await bench.bash("ls -d $D/home/.local/state/track/journals/*")).stdout.toString().split("\n");
    const { stdout } = await bench.bash(`cat ${journal}/console.raw* | wc -c`);
    expect(Number(stdout.toString())).toBeLessThan(2_000_000);
    writeFileSync(bench.path("go"), "");
    expect((await done).stdout.length).toBe(22_888_896);
    await waitFor(() => bench.captured()?.toString().endsWith("\n2999999\n3000000\n"), { what: "the log" });
    expect(bench.captured()?.toString()).toMatch(
      /^1\n2\n[^]*\n\.\.\. \d+ bytes left out here by track's --console-limit \.\.\.\n/u,
    );
  });
});
