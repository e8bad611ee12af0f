import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { processesIn, TrackRig, waitFor } from "../e2e/rig.ts";
import { makeFolder, removeFolder } from "./interop-folder.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { findFreePort, MlflowServer } from "./mlflow-server.ts";
import { newestMlflow, venvProgram } from "./mlflow-versions.ts";
import { type Outage, soakFigures, type SoakStep } from "./soak-figures.ts";
import { warmUp } from "./warm-up.ts";
import { isFull } from "../only-if.ts";
import { describeWith } from "./with-mlflow.ts";

const script = join(import.meta.dirname, "python/soak_script.py");

/** One run, four MLflow clients, and a server that is killed at random moments. */
const soak = isFull ? { points: 200_000, deaths: 20 } : { points: 8000, deaths: 1 };
const killRounds = isFull ? 50 : 2;

describeWith(newestMlflow)("a tracking server and a track that die", () => {
  let folder: string;
  let server: MlflowServer;
  let port: number;
  let rig: TrackRig;

  const startServer = async (): Promise<void> => {
    server = await MlflowServer.start(newestMlflow, `sqlite:///${folder}/mlflow.db`, folder, { port });
  };
  beforeEach(async () => {
    folder = makeFolder();
    port = await findFreePort();
    rig = TrackRig.setup();
    await startServer();
    await warmUp(server);
  });
  afterEach(async () => {
    await rig[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    removeFolder(folder);
  });

  const env = () => ({
    ...mlflowEnvironment(rig.cwd),
    HOME: join(rig.root, "home"),
    MLFLOW_TRACKING_URI: server.url,
    MLFLOW_EXPERIMENT_NAME: "soak",
  });
  async function runs(): Promise<readonly Run[]> {
    await using store = await rig.openStore(server.url);
    const found = await store.getExperimentByName("soak");
    if (found === undefined) return [];
    return (await store.searchRuns({ experimentIds: [found.experimentId], viewType: "ALL" })).items;
  }
  async function stepsOf(run: Run, key: string): Promise<readonly number[]> {
    await using store = await rig.openStore(server.url);
    const { items } = await store.getMetricHistory(run.info.runId, key);
    return items.map(({ step }) => step).toSorted((a, b) => a - b);
  }

  test(
    `${soak.points} points of four clients arrive once while the server is killed ${soak.deaths} times`,
    { timeout: 3_600_000 },
    async () => {
      const python = venvProgram(newestMlflow, "python");
      const command = ["run", "--sync-timeout", "20m", "--", python, script, String(soak.points), "up"];
      const started = rig.start(command, { env: env() });
      const isLogging = () => [0, 1, 2, 3].every((client) => existsSync(join(rig.cwd, `up${client}`)));
      await waitFor(isLogging, { timeoutMs: 120_000, what: "all clients have logged" });
      const outages: Outage[] = [];
      for (let death = 0; death < soak.deaths; death += 1) {
        // At random moments is what is tested here.
        await sleep(Math.random() * (isFull ? 5000 : 2000));
        const from = Date.now();
        await server[Symbol.asyncDispose]();
        await sleep(isFull ? 2000 + Math.random() * 3000 : Math.random() * 2000);
        const restartedAt = Date.now();
        await startServer();
        outages.push({ from, restartedAt, to: Date.now() });
      }
      const { code, stdout, stderr } = await started.finished;
      expect(code, stderr).toBe(0);
      const { steps, failed } = JSON.parse(stdout) as { steps: readonly (readonly SoakStep[])[]; failed: unknown };
      expect(failed).toEqual([]);
      const figures = soakFigures(steps, outages);
      console.log(`soak: ${JSON.stringify(figures)}`);
      const [run, ...others] = await runs();
      expect(others).toEqual([]);
      const each = soak.points / 4;
      for (let client = 0; client < 4; client += 1) {
        const steps = await stepsOf(run as Run, `client${client}`);
        expect(steps).toEqual(Array.from({ length: each }, (_, step) => step));
      }
      // No call waits for the server, however busy the machine is.
      expect(figures.longestLoggingMs).toBeLessThan(4000);
      expect(figures.stepsInOutages).toBeGreaterThan(isFull ? 500 : 0);
      if (isFull) {
        for (const { low } of [figures.byMedian, figures.byMean, figures.byMedianWhileDead])
          expect(low).toBeLessThan(0.02);
      }
    },
  );

  test(
    `after kill -9 of track at ${killRounds} random moments all is there, ended, once`,
    { timeout: 3_600_000 },
    async () => {
      const script =
        'for i in $(seq 1 100000); do echo "x=$i step=$i" >> "$TRACK_LOG"; echo $i > said; sleep 0.002; done';
      for (let round = 1; round <= killRounds; round += 1) {
        const started = rig.start(["run", "--", "sh", "-c", script], { env: env() });
        await waitFor(async () => (await runs()).length === round, { timeoutMs: 30_000 });
        await sleep(Math.random() * 2000);
        for (const pid of processesIn(rig.root)) killQuietly(pid);
        await started.finished;
        await waitFor(() => processesIn(rig.root).length === 0);
        expect(await rig.track(["sync"], { env: env() })).toMatchObject({ code: 0 });
        expect(rig.journalNames()).toEqual([]);
        const all = await runs();
        expect(all.map(({ info }) => info.status)).toEqual(all.map(() => "KILLED"));
        const steps = await stepsOf(all[0] as Run, "x");
        expect(steps.length).toBeGreaterThan(0);
        expect(steps).toEqual(Array.from({ length: steps.length }, (_, index) => index + 1));
      }
      expect(await runs()).toHaveLength(killRounds);
    },
  );
});

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
