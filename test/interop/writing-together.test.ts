import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { openTrackingStore } from "../../src/store/open-store.ts";
import type { TrackingStore } from "../../src/store/tracking-store.ts";
import { waitFor } from "../e2e/rig.ts";
import { makeTestFolder, shareAgent, sqliteUri } from "./interop-folder.ts";
import { mlflowVersions } from "./mlflow-versions.ts";
import { describeWith } from "./with-mlflow.ts";

const writers = 8;
const pointsEach = 40;

describe.each(mlflowVersions)("beside MLflow $version", (version) => {
  describeWith(version)("in one database file", () => {
    const mlflow = shareAgent(version);

    test("eight writers of ours and a Python loop lose nothing of each other", async () => {
      const folder = makeTestFolder();
      const uri = sqliteUri(folder);
      const stopFile = join(folder, "stop");
      await using store = await openTrackingStore(uri, { mode: "write" });
      await mlflow().ask("dump_store", { uri });

      const python = mlflow().ask("log_until", { uri, points: 200, stop_file: stopFile });
      const ourRuns = waitFor(() => hasPoints(store), { what: "the first point of the Python loop" })
        .then(() =>
          Promise.all(
            Array.from({ length: writers }, (_, index) =>
              runProgram("write-run", [uri, `writer ${index}`, String(pointsEach)]),
            ),
          ),
        )
        .finally(() => writeFileSync(stopFile, ""));
      const [theirs, runIds] = await Promise.all([python, ourRuns]);

      expect(theirs.points).toBeGreaterThanOrEqual(200);
      expect(await readPoints(store, theirs.run_id)).toEqual(expectedPoints(theirs.points));
      for (const runId of runIds) {
        expect(await readPoints(store, runId)).toEqual(expectedPoints(pointsEach));
        const { info, data } = await store.getRun(runId);
        expect(info.status).toBe("FINISHED");
        expect(data.params).toHaveLength(pointsEach);
      }
      const seen = await mlflow().ask("dump_store", { uri });
      expect(seen.runs.map((run) => run["run_id"])).toEqual(expect.arrayContaining([theirs.run_id, ...runIds]));
      expect(seen.runs).toHaveLength(writers + 1);
    });

    test("what we write while it upgrades our database is there afterwards", async () => {
      const folder = makeTestFolder();
      const uri = sqliteUri(folder);
      const stopFile = join(folder, "stop");
      await using store = await openTrackingStore(uri, { mode: "write" });
      const ours = runProgram("make-experiments", [uri, stopFile]);
      await waitFor(() => store.getExperimentByName("1"), { what: "the second experiment" });
      try {
        await mlflow().ask("search_runs", { uri, queries: [] });
        const { items } = await store.searchExperiments({ maxResults: 50_000 });
        await waitFor(() => store.getExperimentByName(String(items.length + 2)), { what: "experiments after it" });
      } finally {
        writeFileSync(stopFile, "");
      }

      const count = Number(await ours);
      const { items } = await store.searchExperiments({ maxResults: 50_000, orderBy: ["experiment_id ASC"] });
      const names = Array.from({ length: count }, (_, index) => String(index));
      expect(items.map(({ name }) => name)).toEqual(["Default", ...names]);
      expect(items.slice(1).map(({ tags }) => tags)).toEqual(names.map((value) => [{ key: "name", value }]));
      const seen = await mlflow().ask("dump_store", { uri });
      expect(seen.experiments).toHaveLength(count + 1);
    });
  });
});

/** Runs one of `programs/` in a process of its own; what it printed. */
async function runProgram(name: string, args: readonly string[]): Promise<string> {
  const program = join(import.meta.dirname, "programs", `${name}.ts`);
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  expect({ code, stderr }, name).toEqual({ code: 0, stderr: "" });
  return stdout;
}

async function hasPoints(store: TrackingStore): Promise<boolean> {
  const { items } = await store.searchRuns({ experimentIds: ["0"] });
  return items.some(({ data }) => data.metrics.length > 0);
}

async function readPoints(store: TrackingStore, runId: string): Promise<readonly unknown[]> {
  const { items } = await store.getMetricHistory(runId, "loss");
  return items.map(({ step, value }) => [step, value]).sort(([a = 0], [b = 0]) => a - b);
}

const expectedPoints = (count: number): readonly unknown[] =>
  Array.from({ length: count }, (_, step) => [step, 1 / (step + 1)]);
