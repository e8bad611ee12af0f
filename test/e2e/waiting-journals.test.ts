import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { newRunId } from "../../src/util/ids.ts";
import { processesIn, TrackRig, waitFor } from "./rig.ts";

const count = process.env["TRACK_TEST_FULL"] === "1" ? 1000 : 100;

/** Journals of so many runs that were lost with all their processes, before anything of them was stored. */
async function loseRuns(rig: TrackRig): Promise<void> {
  const started = rig.start(["run", "--", "sh", "-c", "echo x=1 >> $TRACK_LOG; touch up; exec sleep 1000"]);
  await waitFor(() => existsSync(join(rig.cwd, "up")));
  const [name = ""] = rig.journalNames();
  const folder = join(rig.journals, name);
  await waitFor(
    () => existsSync(join(folder, "command.json")) && readdirSync(folder).some((file) => file.startsWith("entries-")),
  );
  const processes = processesIn(rig.root);
  for (const pid of processes) process.kill(pid, "SIGSTOP");
  for (const pid of processes) process.kill(pid, "SIGKILL");
  await started.finished;
  await waitFor(() => processesIn(rig.root).length === 0);
  const runId = name.slice(0, 32);
  for (let n = 1; n < count; n += 1) {
    const copyId = newRunId();
    const copy = join(rig.journals, `${copyId}-1`);
    cpSync(folder, copy, { recursive: true });
    for (const file of readdirSync(copy)) {
      const path = join(copy, file);
      if (!statSync(path).isFile()) continue;
      if (file === "cursor.json") rmSync(path);
      else writeFileSync(path, readFileSync(path, "utf8").replaceAll(runId, copyId));
    }
  }
}

test(`${count} runs' journals waiting: a look spends some seconds on them and says what is left, a run nothing, and its recorder the rest`, async () => {
  await using rig = TrackRig.setup();
  await loseRuns(rig);
  expect(rig.journalNames()).toHaveLength(count);
  const listed = await rig.track(["ls", "-n", "1"]);
  const left = rig.journalNames().length;
  expect(listed.code).toBe(0);
  expect(listed.durationMs).toBeLessThan(10_000);
  if (left > 0) expect(listed.stderr).toBe(`track: ${left} more lost runs wait: the next track command goes on\n`);
  const run = await rig.track(["run", "--", "true"]);
  expect(run.code).toBe(0);
  expect(run.stderr).not.toMatch(/wait|cannot|not all/u);
  expect(run.durationMs).toBeLessThan(5000);
  process.stderr.write(
    `${count} journals: ls ${Math.round(listed.durationMs)} ms (${left} left), run ${Math.round(run.durationMs)} ms\n`,
  );
  // Some of a thousand may be left behind its budget.
  await waitFor(() => processesIn(rig.root).length === 0, { timeoutMs: 90_000, what: "the recorder is gone" });
  await rig.track(["ls", "-n", "1"]);
  await waitFor(async () => (await rig.track(["ls", "-n", "1"])) && rig.journalNames().length === 0, {
    timeoutMs: 60_000,
  });
  await using store = await rig.openStore();
  const killed = { experimentIds: ["0"], filter: "attributes.status = 'KILLED'", maxResults: 2 * count };
  expect((await store.searchRuns(killed)).items).toHaveLength(count);
}, 240_000);
