import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { programs } from "../rig.ts";
import { MatrixBench } from "./matrix-bench.ts";

const bench = new MatrixBench();
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => bench.remove("pid", "wrapper"));

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
  const env = { WRAP_OPTIONS: `--capture ${mode}` };
  const play = async (...steps: readonly object[]): Promise<void> => {
    const { failed, output } = await bench.onTerminal([...begin, ...steps, ...end], shell, env);
    expect({ failed, output }).toMatchObject({ failed: null });
    expect(output).toContain("code 130");
  };

  test("J1, J2 ^Z gives the prompt with both stopped, fg goes on", async () => {
    await play(
      { send: "\u001a" },
      { expect: "Stopped" },
      { expect: "prompt " },
      ...bothStopped,
      ...foreground,
      ...bothRunning,
    );
  });

  test("J3 bg, then fg, then ^C", async () => {
    await play(
      { send: "\u001a" },
      { expect: "prompt " },
      { send: "bg\n" },
      { expect: "tick-" },
      ...bothRunning,
      ...foreground,
    );
  });

  test("J4, J5 TSTP sent to the wrapper alone stops the command, CONT lets both go on", async () => {
    await play(
      { signal: "TSTP", file: wrapper },
      { expect: "prompt " },
      ...bothStopped,
      { signal: "CONT", file: wrapper },
      ...bothRunning,
      ...foreground,
    );
  });

  test("J6, J7 STOP sent to the command stops the wrapper", async () => {
    await play({ signal: "STOP", file: pid }, { expect: "Stopped" }, ...bothStopped, ...foreground, ...bothRunning);
  });
});

test("J8 reading from the terminal in the background stops both, fg reads, ^D ends", async () => {
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

test("J9 stty tostop: writing in the background stops both, fg shows it", async () => {
  const inner = `echo $PPID >$D/wrapper; echo $$ >$D/pid; sleep 0.3; echo written`;
  const steps = [
    { expect: "bash-" },
    { send: `PS1='p''rompt '; stty tostop; "$track" sh -c '${inner}' &\n` },
    { expect: "prompt " },
    { state: "T", file: wrapper },
    { sleep: 0.3 },
    { send: "\n" },
    { expect: "Stopped" },
    { send: "fg\n" },
    { expect: "written\r\n" },
    { expect: "prompt " },
    { send: "echo code $?; exit\n" },
    { expect: "code 0" },
  ];
  const { failed, output } = await bench.onTerminal(steps, shell);
  expect({ failed, output }).toMatchObject({ failed: null });
});

test("J10 ^C once for a wrapper that leads the session", async () => {
  const steps = [
    { expect: "ready" },
    { send: "\u0003" },
    { expect: "INT" },
    { sleep: 0.15 },
    { signal: "TERM", file: pid },
  ];
  const { output, status } = await bench.onTerminal(steps, [
    bench.track,
    "python3",
    "-S",
    `${programs}/print-signals.py`,
    pid,
  ]);
  expect([output.match(/INT/gu)?.length, status]).toEqual([1, 7]);
});

test("J11 in front of a pager: q ends both, the terminal is as before", async () => {
  const steps = [
    { expect: "bash-" },
    { send: `PS1='p''rompt '; stty -a >$D/before; "$track" seq 100000 | LESS= less\n` },
    { expect: "\r\n20\r\n" },
    { send: "q" },
    { expect: "prompt " },
    { send: "echo codes ${PIPESTATUS[@]}; stty -a >$D/after; exit\n" },
    { expect: "codes 141 0" },
  ];
  const { failed, output } = await bench.onTerminal(steps, shell, { TERM: "xterm" });
  expect({ failed, output: output.slice(-300) }).toEqual({ failed: null, output: expect.any(String) });
  expect(bench.read("after")).toBe(bench.read("before"));
});

test("J1 ^Z in an orphaned process group, where the kernel discards it, stops nobody", async () => {
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
    `${programs}/print-signals.py`,
    pid,
  ]);
  expect({ failed, status }).toEqual({ failed: null, status: 7 });
});
