import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bin, TrackRig, waitFor } from "./rig.ts";
import { lastScreen, onTerminal } from "./terminal-rig.ts";

let rig: TrackRig;

beforeEach(() => {
  rig = TrackRig.setup();
});

afterEach(async () => {
  await rig[Symbol.asyncDispose]();
});

const enter = "\u001b[?1049h";
const leave = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const noColour = { env: { NO_COLOR: "1" } };
const watchLs = [bin, "ls", "--watch", "--interval", "100ms"];
/** The size comes first: Python's fork leaves a terminal without one. */
const size = { size: [20, 80] };

async function record(name: string): Promise<void> {
  const { code, stderr } = await rig.track(["run", "--quiet", "-n", name, "--", "true"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

describe("ls --watch", () => {
  test("draws again in place until q, then gives the terminal back and leaves the last drawing", async () => {
    await record("early-bird-1");
    const second = waitFor(() => true).then(() => record("late-owl-2"));
    const { output, status, failed } = await onTerminal(
      rig,
      [size, { expect: enter }, { expect: "early-bird-1" }, { expect: "late-owl-2" }, { send: "q" }],
      watchLs,
      noColour,
    );
    await second;
    expect({ status, failed }).toEqual({ status: 0, failed: null });
    expect(output.split(enter)).toHaveLength(2);
    const [before = "", after = ""] = output.split(leave);
    expect(before).toContain("q ends");
    expect(after).toMatch(/^RUN .*\r\n.*late-owl-2.*\r\n.*early-bird-1.*\r\n$/u);
  });

  test.each([
    ["^C", [{ send: "\u0003" }], 0],
    ["INT", [{ group: "INT" }], 0],
    ["TERM", [{ group: "TERM" }], 143],
    ["HUP", [{ group: "HUP" }], 129],
  ])("%s ends it with the terminal given back", async (_, steps, expected) => {
    await record("early-bird-1");
    const { output, status, failed } = await onTerminal(
      rig,
      [size, { expect: "q ends" }, ...steps],
      [
        "sh",
        "-c",
        `trap : INT TERM HUP; ${watchLs.join(" ")}; code=$?; stty -a | tr ' ' '\\n' | grep -x -e icanon -e echo -e isig; exit $code`,
      ],
      noColour,
    );
    expect({ status, failed }).toEqual({ status: expected, failed: null });
    expect(output.slice(output.lastIndexOf(leave))).toMatch(/isig\r\n(?:.*\r\n)*icanon\r\n(?:.*\r\n)*echo\r\n/u);
  });

  test("follows the size of the terminal, and cuts what does not fit", async () => {
    for (let index = 0; index < 8; index += 1) await record(`some-long-name-${index}`);
    const { output, status } = await onTerminal(
      rig,
      [
        size,
        { expect: "some-long-name-0" },
        { expect: "q ends" },
        { size: [6, 40] },
        { expect: "more lines" },
        { expect: "q ends" },
        { send: "q" },
      ],
      watchLs,
      noColour,
    );
    expect(status).toBe(0);
    const screen = lastScreen(output);
    expect(screen).toHaveLength(6);
    expect(screen[0]).toMatch(/^RUN /u);
    expect(screen[4]).toBe("... 5 more lines");
    for (const line of screen) expect(line.length).toBeLessThanOrEqual(40);
  });

  test("shows how far a live run is, from the bar in its output", async () => {
    const go = join(rig.cwd, "go");
    const script = `import os, sys, time
print("epoch 1", flush=True)
sys.stderr.write("\\r 43%|####3     | 430/1000 [00:12<01:05, 34.2it/s]"); sys.stderr.flush()
while not os.path.exists(${JSON.stringify(go)}): time.sleep(0.05)
`;
    const live = rig.start(["run", "--quiet", "-n", "live-1", "--", "python3", "-c", script]);
    const { output, failed } = await onTerminal(rig, [size, { expect: "430/1000" }, { send: "q" }], watchLs, noColour);
    expect(failed).toBeNull();
    expect(output).toContain("43% 430/1000, 1m05s left");
    const piped = await rig.track(["ls", "--columns", "name,status,progress"]);
    expect(piped.stdout).toBe("live-1\tRUNNING\t43\n");
    writeFileSync(go, "");
    await live.finished;
    expect((await rig.track(["ls", "--columns", "status,progress"])).stdout).toBe("FINISHED\t\n");
  });

  test("a mistake is told on the screen that is there, before anything is drawn", async () => {
    await record("early-bird-1");
    const { output, status } = await onTerminal(rig, [size], [...watchLs, "--columns", "nope"], noColour);
    expect(status).toBe(2);
    expect(output).toMatch(/^track: --columns is not known: nope\r\nhint: .*\r\n$/u);
  });
});

describe("show and plot --watch", () => {
  test("follow a run that logs, and stay with it when `@last` has become another", async () => {
    const script = `while [ ! -e go ]; do sleep 0.05; done; echo "loss=0.5 step=2" >> "$TRACK_LOG"
while [ ! -e end ]; do sleep 0.05; done`;
    const first = `echo "loss=4 step=0" >> "$TRACK_LOG"; echo "loss=2 step=1" >> "$TRACK_LOG"; ${script}`;
    const live = rig.start(["run", "--quiet", "-n", "live-1", "--", "sh", "-c", first]);
    await waitFor(async () => (await rig.track(["get", "metric", "live-1", "loss"])).stdout === "2\n");
    const seen = join(rig.cwd, "seen");
    const look = (...args: readonly string[]) =>
      onTerminal(
        rig,
        [size, { expect: "last 2" }, { touch: seen }, { expect: "last 0.5" }, { send: "q" }],
        [bin, "plot", ...args, "--watch", "--interval", "100ms"],
        noColour,
      );
    const plotted = look("@last", "-m", "loss");
    await waitFor(() => existsSync(seen));
    await record("other-2");
    writeFileSync(join(rig.cwd, "go"), "");
    const { output, failed, status } = await plotted;
    expect({ failed, status }).toEqual({ failed: null, status: 0 });
    expect(output).not.toContain("other-2");
    expect(lastScreen(output).length).toBeLessThanOrEqual(20);
    expect(output.slice(output.lastIndexOf(leave))).toContain("live-1");
    const shown = await onTerminal(
      rig,
      [size, { expect: "live-1  RUNNING" }, { expect: "loss" }, { send: "q" }],
      [bin, "show", "live-1", "-w", "--interval", "100ms"],
      noColour,
    );
    expect(shown).toMatchObject({ failed: null, status: 0 });
    writeFileSync(join(rig.cwd, "end"), "");
    await live.finished;
  });

  test("^Z gives the terminal back, and CONT goes on", async () => {
    await record("early-bird-1");
    const pid = join(rig.cwd, "pid");
    const { output, status, failed } = await onTerminal(
      rig,
      [
        size,
        { expect: "q ends" },
        { send: "\u001a" },
        { state: "T", file: pid },
        { expect: leave },
        { signal: "CONT", file: pid },
        { expect: enter },
        { expect: "early-bird-1" },
        { send: "q" },
      ],
      ["sh", "-c", `echo $$ > pid; exec ${watchLs.join(" ")}`],
      noColour,
    );
    expect({ status, failed }).toEqual({ status: 0, failed: null });
    expect(output.split(enter)).toHaveLength(3);
  });
});

describe("compare --watch", () => {
  test("shows what two runs come to differ in, until q", async () => {
    await record("early-bird-1");
    await record("late-owl-2");
    const later = waitFor(() => true).then(() => rig.track(["log", "metric", "--run", "late-owl-2", "loss=0.25"]));
    const { output, status, failed } = await onTerminal(
      rig,
      [size, { expect: enter }, { expect: "0.25" }, { send: "q" }],
      [bin, "compare", "early-bird-1", "late-owl-2", "--watch", "--interval", "100ms"],
      noColour,
    );
    await later;
    expect({ status, failed }).toEqual({ status: 0, failed: null });
    expect(output.slice(output.lastIndexOf(leave))).toContain("loss");
  });
});
