import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { TrackRig, waitFor } from "./rig.ts";

const bar = `printf 'begin\\n10%%\\r50%%\\r100%%\\nend\\n'`;

describe("track logs", () => {
  test("shows the stored log with what returns wrote over left out, or every byte", async () => {
    await using rig = TrackRig.setup();
    await rig.track(["run", "--quiet", "--", "sh", "-c", `${bar}; printf 'last'; exit 3`]);
    expect(await rig.track(["logs", "@last"])).toMatchObject({ code: 0, stdout: "begin\n100%\nend\nlast", stderr: "" });
    const raw = await rig.track(["logs", "@last", "--raw"]);
    expect(raw.stdout).toBe("begin\n10%\r50%\r100%\nend\nlast");
  });

  test("of each attempt; one that is not there is told, with those that are", async () => {
    await using rig = TrackRig.setup();
    await rig.track(["run", "--quiet", "-n", "twice", "--", "echo", "first"]);
    await rig.track(["resume", "--quiet", "twice", "--", "echo", "second"]);
    expect((await rig.track(["logs", "twice"])).stdout).toBe("second\n");
    expect((await rig.track(["logs", "twice", "--attempt", "1"])).stdout).toBe("first\n");
    const missing = await rig.track(["logs", "twice", "--attempt", "3"]);
    expect(missing).toMatchObject({ code: 1, stdout: "" });
    expect(missing.stderr).toMatch(
      /^track: run \w{8} has no console log of attempt 3\nhint: track logs \w{8} --attempt 2\n$/u,
    );
  });

  test("of a run without one: one line and a hint", async () => {
    await using rig = TrackRig.setup();
    await rig.track(["run", "--quiet", "--capture", "off", "--", "echo", "unheard"]);
    const done = await rig.track(["logs", "@last"]);
    expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(done.stderr).toContain("--capture off");
  });

  test("of a run that lives: so far, and with -f on to its end", async () => {
    await using rig = TrackRig.setup();
    const script = `echo early; while [ ! -e go ]; do sleep 0.05; done; ${bar}; exit 3`;
    const started = rig.start(["run", "--quiet", "--", "sh", "-c", script]);
    await waitFor(() => existsSync(join(rig.cwd, "mlflow.db")));
    await waitFor(async () => (await rig.track(["logs", "@last"])).stdout === "early\n", {
      what: "what was said so far",
    });
    const following = rig.start(["logs", "-f", "@last"]);
    await waitFor(() => following.stdout() === "early\n", { what: "it is followed" });
    writeFileSync(join(rig.cwd, "go"), "");
    expect((await started.finished).code).toBe(3);
    expect(await following.finished).toMatchObject({ code: 0, stdout: "early\nbegin\n100%\nend\n", stderr: "" });
  });

  test("-f goes on behind a recorder that dies, and misses nothing", async () => {
    await using rig = TrackRig.setup();
    const script = `echo early; while [ ! -e go ]; do sleep 0.05; done; seq 1000; exit 3`;
    const started = rig.start(["run", "--quiet", "--", "sh", "-c", script]);
    await waitFor(() => existsSync(join(rig.cwd, "mlflow.db")));
    const following = rig.start(["logs", "-f", "@last"]);
    await waitFor(() => following.stdout() === "early\n", { what: "it is followed" });
    const children = rig.spawn("sh", ["-c", `cat /proc/${started.process.pid}/task/*/children`]);
    for (const pid of (await children.finished).stdout.trim().split(" ")) {
      const { stdout } = await rig.spawn("sh", ["-c", `tr '\\0' ' ' </proc/${pid}/cmdline`]).finished;
      if (stdout.includes("recorder")) process.kill(Number(pid), "SIGKILL");
    }
    writeFileSync(join(rig.cwd, "go"), "");
    await started.finished;
    const numbers = Array.from({ length: 1000 }, (_, index) => `${index + 1}\n`).join("");
    expect((await following.finished).stdout).toBe(`early\n${numbers}`);
  });
});
