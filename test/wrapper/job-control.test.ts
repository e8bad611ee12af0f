import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { WrapperBench } from "./harness.ts";

const bench = new WrapperBench();
afterAll(() => bench[Symbol.dispose]());
beforeEach(() => bench.remove("pid", "wrapper", "raw"));

const pid = bench.path("pid");
const wrapper = bench.path("wrapper");
const shell = ["bash", "--norc", "--noprofile", "-i"];
/** Counts, so that "goes on" can be seen. The wrapper's pid is the counter's parent. */
const counter = '"$track" python3 -S $P/print-forever.py $D/pid $D/wrapper';
const begin = [{ expect: "bash-" }, { send: `PS1='p''rompt '; ${counter}\n` }, { expect: "tick-2" }];
const bothStopped = [
  { state: "T", file: pid },
  { state: "T", file: wrapper },
];
const bothRunning = [
  { state: "S|R", file: pid },
  { state: "S|R", file: wrapper },
];
/** The shell names the job, and needs a moment to give it the terminal. */
const foreground = [{ send: "fg\n" }, { expect: "print-forever" }, { sleep: 0.2 }, { expect: "tick-" }];
const end = [{ send: "\u0003" }, { expect: "prompt " }, { send: "echo code $?; exit\n" }];

describe.for(["pty", "off"])("job control of an interactive shell, --capture=%s", (mode) => {
  const env = { WRAP_SPOOL: bench.path("raw"), WRAP_CAPTURE: mode };
  const play = async (...steps: readonly object[]): Promise<void> => {
    const { failed, output } = await bench.onTerminal([...begin, ...steps, ...end], shell, env);
    expect({ failed, output }).toMatchObject({ failed: null });
    expect(output).toContain("code 130");
  };

  test("^Z gives the prompt with both stopped, fg goes on", async () => {
    await play(
      { send: "\u001a" },
      { expect: "Stopped" },
      { expect: "prompt " },
      ...bothStopped,
      ...foreground,
      ...bothRunning,
    );
  });

  test("bg, then fg, then ^C", async () => {
    await play(
      { send: "\u001a" },
      { expect: "prompt " },
      { send: "bg\n" },
      { expect: "tick-" },
      ...bothRunning,
      ...foreground,
    );
  });

  test("TSTP sent to the wrapper alone stops the command, CONT lets both go on", async () => {
    await play(
      { signal: "TSTP", file: wrapper },
      { expect: "prompt " },
      ...bothStopped,
      { signal: "CONT", file: wrapper },
      ...bothRunning,
      ...foreground,
    );
  });

  test("STOP sent to the command stops the wrapper", async () => {
    await play({ signal: "STOP", file: pid }, { expect: "Stopped" }, ...bothStopped, ...foreground, ...bothRunning);
  });
});

test("reading from the terminal in the background stops both, fg reads, ^D ends", async () => {
  const steps = [
    { expect: "bash-" },
    { send: `PS1='p''rompt '; "$track" sh -c 'echo $PPID >$D/wrapper; echo $$ >$D/pid; exec cat' &\n` },
    { expect: "prompt " },
    ...bothStopped,
    // The shell is told only when all threads of the wrapper have stopped.
    { sleep: 0.2 },
    { send: "\n" },
    { expect: "Stopped" },
    { send: "fg\n" },
    ...bothRunning,
    { send: "hello\n" },
    { expect: "hello\r\nhello" },
    { send: "\u0004" },
    { expect: "prompt " },
    { send: "echo code $?; exit\n" },
    { expect: "code 0" },
  ];
  const { failed } = await bench.onTerminal(steps, shell, {});
  expect(failed).toBeNull();
});

test("^Z in an orphaned process group, where the kernel discards it, stops nobody", async () => {
  // The wrapper leads the session here, and its parent belongs to another one.
  const steps = [
    { expect: "ready" },
    { send: "\u001a" },
    { sleep: 0.3 },
    { state: "S|R", file: pid },
    { send: "\u0003" },
    { expect: "INT" },
    { signal: "TERM", file: pid },
  ];
  const { failed, status } = await bench.onTerminal(steps, [
    bench.track,
    "python3",
    "-S",
    `${process.cwd()}/fixtures/programs/print-signals.py`,
    pid,
  ]);
  expect({ failed, status }).toEqual({ failed: null, status: 7 });
});
