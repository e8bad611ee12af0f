import { describe, expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { printed, runProgram, setupLibrary, writeProgram } from "./library-rig.ts";
import { tagsOf, type TrackRig, waitFor } from "./rig.ts";

/** Who waits for the program: one may be quicker than its recorder, though seldom twice. */
const parents: Readonly<Record<string, (path: string) => readonly [string, readonly string[]]>> = {
  Node: (path) => [process.execPath, [path]],
  "a shell": (path) => ["sh", ["-c", `"${process.execPath}" "${path}"; true`]],
  Python: (path) => ["python3", ["-c", `import subprocess; subprocess.run(["${process.execPath}", "${path}"])`]],
};

const tries = 6;

async function endOf(rig: TrackRig, name: string, died: readonly [string, readonly string[]]): Promise<Run> {
  await rig.spawn(...died).finished;
  return await waitFor(
    async () => (await rig.runs()).find(({ info }) => info.runName === name && info.status !== "RUNNING"),
    { what: `${name} has ended` },
  );
}

describe("a program of its own that dies by a signal", () => {
  test.for(Object.keys(parents))("a crash is FAILED, a kill KILLED, whoever waits for it: %s", async (parent) => {
    await using rig = setupLibrary();
    for (const [signal, status, reason] of [
      ["SIGSEGV", "FAILED", undefined],
      ["SIGABRT", "FAILED", undefined],
      ["SIGTERM", "KILLED", "terminated"],
      ["SIGKILL", "KILLED", "killed"],
    ] as const) {
      const seen: unknown[] = [];
      for (let round = 0; round < tries && seen.at(-1) !== signal; round += 1) {
        const name = `${signal}-${round}`;
        const path = writeProgram(
          rig,
          "die.mjs",
          `await track.startRun({ runName: "${name}" });
           track.logMetric("m", 1);
           await track.flush();
           process.kill(process.pid, "${signal}");
           setInterval(() => {}, 1000);`,
        );
        const run = await endOf(rig, name, parents[parent]?.(path) ?? ["false", []]);
        const tags = tagsOf(run);
        seen.push(tags["track.signal"]);
        // What was not seen is told as a kill, and nothing is made up.
        if (tags["track.signal"] === undefined) {
          expect([run.info.status, tags["track.end_reason"], tags["track.exit_code"]]).toEqual([
            "KILLED",
            "killed",
            undefined,
          ]);
        } else expect([run.info.status, tags["track.end_reason"]]).toEqual([status, reason]);
      }
      expect(seen.at(-1), `seen in ${tries} tries`).toBe(signal);
    }
  });

  test("an exit code is told as well, and is gone once the run is resumed", async () => {
    await using rig = setupLibrary();
    await runProgram(rig, 'await track.startRun({ runName: "failed" }); process.exit(3);');
    const run = await rig.run();
    expect([run.info.status, tagsOf(run)["track.exit_code"]]).toEqual(["FAILED", "3"]);
    const done = await runProgram(
      rig,
      `await using run = await track.startRun({ runId: "${run.info.runId}" });
       console.log(JSON.stringify(run.data.tags.map(({ key }) => key).filter((key) => key.startsWith("track.exit"))));`,
    );
    expect(printed(done)).toEqual([[]]);
    expect(tagsOf(await rig.run())["track.exit_code"]).toBeUndefined();
  });
});
