import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { type Finished, metricsOf, processesIn, tagsOf, waitFor } from "../e2e/rig.ts";
import { holdDatabase } from "../store/sqlite-rig.ts";
import { newestMlflow } from "./mlflow-versions.ts";
import { serveRigs } from "./served.ts";
import { describeWith } from "./with-mlflow.ts";

describeWith(newestMlflow)("track sync", () => {
  const on = serveRigs("sync");

  const env = () => ({ MLFLOW_TRACKING_URI: on.proxy.url, MLFLOW_EXPERIMENT_NAME: on.experiment });
  const track = (...args: string[]): Promise<Finished> => on.rig.track(args, { env: env() });
  const offline = (text: string, ...options: string[]): Promise<Finished> =>
    track("run", "--offline", ...options, "--", "sh", "-c", text);
  test("an --offline run asks the server for nothing and arrives by sync, once", async () => {
    const finished = await offline('echo "loss=1" >> "$TRACK_LOG"; echo "$TRACK_RUN_ID"; exit 3', "-n", "kept");
    expect(finished).toMatchObject({ code: 3 });
    expect(finished.stderr).toContain("offline: track sync sends it");
    expect(finished.durationMs).toBeLessThan(5000);
    await track("ls");
    expect(await on.runs()).toEqual([]);
    const seen = await track("sync", "--dry-run");
    expect(seen.stdout).toMatch(/^[\da-f]{8}\tkept\tleft\t\d+\thttp/u);
    const sent = await track("sync");
    expect(sent, sent.stderr).toMatchObject({ code: 0 });
    expect(sent.stdout).toContain("\tkept\tsent\t0\t");
    const [run, ...others] = await on.runs();
    expect(others).toEqual([]);
    expect(run?.info.status).toBe("FAILED");
    expect(metricsOf(run as Run)).toEqual({ loss: 1 });
    expect(tagsOf(run as Run)).toMatchObject({ "track.offline_id": finished.stdout.trim(), "track.exit_code": "3" });
    expect(on.rig.journalNames()).toEqual([]);
    expect(await track("sync")).toMatchObject({ code: 0, stdout: "" });
  });

  test("mistakes are found before the start", async () => {
    expect(await track("run", "--offline", "--run-id", "a".repeat(32), "--", "true")).toMatchObject({ code: 125 });
    expect(await on.rig.track(["run", "--offline", "--", "true"])).toMatchObject({ code: 125 });
    expect(await track("sync", "nowhere")).toMatchObject({ code: 2 });
  });

  test("a server that is away leaves all where it is; sync goes on where it was interrupted", async () => {
    const lines = 'for i in $(seq 1 5000); do echo "loss=$i step=$i"; done >> "$TRACK_LOG"';
    await offline(lines);
    await on.proxy.always({ kind: "refuse" });
    expect(await track("sync")).toMatchObject({ code: 1 });
    await on.proxy.always({ kind: "slow", delayMs: 300 });
    const killed = on.rig.start(["sync"], { env: env() });
    await waitFor(async () => (await on.runs()).length === 1, { timeoutMs: 20_000 });
    killed.process.kill("SIGKILL");
    await killed.finished;
    await on.proxy.always();
    await waitFor(() => processesIn(on.rig.root).length === 0);
    expect(await track("sync")).toMatchObject({ code: 0 });
    const [run, ...others] = await on.runs();
    expect(others).toEqual([]);
    await using store = await on.rig.openStore(on.server.url);
    const { items } = await store.getMetricHistory(run?.info.runId ?? "", "loss");
    expect(items.map(({ step }) => step)).toEqual(Array.from({ length: 5000 }, (_, index) => index + 1));
  });

  test("journals of several machines, one of them torn, are sent from where they were copied to", async () => {
    for (const name of ["one", "two", "three"]) await offline('echo "x=1" >> "$TRACK_LOG"', "-n", name);
    const copied = join(on.rig.root, "copied");
    mkdirSync(copied);
    for (const name of on.rig.journalNames()) {
      const target = join(copied, name);
      cpSync(join(on.rig.journals, name), target, { recursive: true });
      const header = JSON.parse(readFileSync(join(target, "header.json"), "utf8")) as {
        place: object;
        runName: string;
      };
      const place = { ...header.place, host: `node-${header.runName}`, machineId: header.runName };
      writeFileSync(join(target, "header.json"), JSON.stringify({ ...header, place }));
      if (header.runName !== "two") continue;
      const segment =
        readdirSync(target)
          .filter((file) => file.startsWith("entries-"))
          .at(-1) ?? "";
      appendFileSync(join(target, segment), '{"s":99,"t":1,"a":1,"r":"torn');
    }
    renameSync(on.rig.journals, `${on.rig.journals}-away`);
    const sent = await track("sync", copied);
    expect(sent.stdout.match(/\tsent\t/gu), sent.stderr).toHaveLength(3);
    expect(sent.code).toBe(0);
    expect((await on.runs()).map(({ info }) => `${info.runName} ${info.status}`).toSorted()).toEqual([
      "one FINISHED",
      "three FINISHED",
      "two FINISHED",
    ]);
  });

  test("--to sends a journal to another store", async () => {
    await offline('echo "x=1" >> "$TRACK_LOG"', "-n", "moved");
    const sent = await track("sync", "--to", on.rig.trackingUri);
    expect(sent, sent.stderr).toMatchObject({ code: 0 });
    expect(await on.runs()).toEqual([]);
    const run = await on.rig.run();
    expect(run.info).toMatchObject({ runName: "moved", status: "FINISHED" });
    expect(metricsOf(run)).toEqual({ x: 1 });
  });

  test("an inner run of an offline run is its child on the server, whichever journal is read first", async () => {
    await offline("for n in a b c; do track run --offline -n $n -- true; done", "-n", "outer");
    await waitFor(() => processesIn(on.rig.root).length === 0);
    expect(on.rig.journalNames()).toHaveLength(4);
    expect(await track("sync")).toMatchObject({ code: 0 });
    const all = await on.runs();
    const outer = all.find(({ info }) => info.runName === "outer");
    const parents = all.filter((run) => run !== outer).map((run) => tagsOf(run)["mlflow.parentRunId"]);
    expect(parents).toEqual([outer, outer, outer].map((run) => run?.info.runId));
  });

  test("--to a server maps a run that its own store has, each attempt to the same one", async () => {
    const elsewhere = { MLFLOW_TRACKING_URI: on.rig.trackingUri, MLFLOW_EXPERIMENT_NAME: on.experiment };
    const lines = 'echo "x=$TRACK_ATTEMPT step=$TRACK_ATTEMPT" >> "$TRACK_LOG"; [ $TRACK_ATTEMPT = 1 ] && exit 3';
    await on.rig.track(["run", "-n", "moved", "--", "sh", "-c", lines], { env: elsewhere });
    const { info } = await on.rig.run();
    for (const attempt of [2, 3]) {
      const script = `${lines}; touch up${attempt}; while [ ! -e go${attempt} ]; do sleep 0.05; done`;
      const args = ["resume", "--sync-timeout", "0s", info.runId, "--", "sh", "-c", script];
      const resumed = on.rig.start(args, { env: elsewhere });
      await waitFor(() => existsSync(join(on.rig.cwd, `up${attempt}`)));
      const held = await holdDatabase(join(on.rig.cwd, "mlflow.db"), "lock");
      writeFileSync(join(on.rig.cwd, `go${attempt}`), "");
      expect((await resumed.finished).code).toBe(0);
      await waitFor(() => processesIn(on.rig.root).length === 0, { timeoutMs: 20_000 });
      await held.release();
      expect(on.rig.journalNames()).toHaveLength(1);
      const sent = await on.rig.track(["sync", "--to", on.server.url], { env: elsewhere });
      expect(sent, sent.stderr).toMatchObject({ code: 0, stderr: "" });
    }
    const [run, ...others] = await on.runs();
    expect(others).toEqual([]);
    expect(run?.info).toMatchObject({ runName: "moved", status: "FINISHED" });
    expect(tagsOf(run as Run)).toMatchObject({ "track.imported_run_id": info.runId, "track.exit_code": "0" });
    await using store = await on.rig.openStore(on.server.url);
    const { items } = await store.getMetricHistory(run?.info.runId ?? "", "x");
    expect(items.map(({ value }) => value)).toEqual([1, 2, 3]);
  });

  test("a live run is left alone; the later run brings home what was left", async () => {
    await on.proxy.always({ kind: "refuse" });
    await track("run", "-n", "first", "--sync-timeout", "0s", "--", "true");
    await waitFor(() => processesIn(on.rig.root).length === 0, { timeoutMs: 20_000 });
    await on.proxy.always();
    const live = on.rig.start(
      ["run", "-n", "live", "--", "sh", "-c", "touch up; while [ ! -e on ]; do sleep 0.05; done"],
      {
        env: env(),
      },
    );
    await waitFor(() => existsSync(join(on.rig.cwd, "up")));
    const sent = await track("sync");
    expect(sent.stdout).toContain("\tlive\tlive\t");
    expect(sent.code).toBe(0);
    writeFileSync(join(on.rig.cwd, "on"), "");
    expect((await live.finished).code).toBe(0);
    expect((await on.runs()).map(({ info }) => `${info.runName} ${info.status}`).toSorted()).toEqual([
      "first FINISHED",
      "live FINISHED",
    ]);
  });

  test("what the server refuses for good is set aside and told, and nothing waits for it", async () => {
    const script = 'touch up; while [ ! -e on ]; do sleep 0.05; done; echo "late=1" >> "$TRACK_LOG"';
    const cut = on.rig.start(["run", "-n", "cut", "--sync-timeout", "0s", "--", "sh", "-c", script], { env: env() });
    await waitFor(() => existsSync(join(on.rig.cwd, "up")));
    const { info } = await waitFor(() => on.onlyRun());
    await on.proxy.always({ kind: "refuse" });
    writeFileSync(join(on.rig.cwd, "on"), "");
    await cut.finished;
    await waitFor(() => processesIn(on.rig.root).length === 0, { timeoutMs: 20_000 });
    await on.server.post("runs/delete", { run_id: info.runId });
    await offline("true", "-n", "other");
    await on.proxy.always();
    const sent = await track("sync");
    expect(sent.code).toBe(0);
    expect(sent.stdout.match(/\tsent\t0\t/gu)).toHaveLength(2);
    expect(sent.stderr).toMatch(/^track: \d+ entries were refused and set aside: .*refused\.ndjson$/mu);
    expect((await on.runs()).find(({ info: { runName } }) => runName === "other")?.info.status).toBe("FINISHED");
    expect((await track("doctor")).stdout).toMatch(/refused/u);
    expect(await track("sync")).toMatchObject({ code: 0, stdout: "" });
  });

  test("a late sync turns nothing of a newer attempt back, and brings what the older one had said", async () => {
    const script = 'touch up; while [ ! -e on ]; do sleep 0.05; done; echo "late=1" >> "$TRACK_LOG"; exit 3';
    const first = on.rig.start(["run", "--sync-timeout", "0s", "--", "sh", "-c", script], { env: env() });
    await waitFor(() => existsSync(join(on.rig.cwd, "up")));
    await waitFor(async () => (await on.runs()).length === 1);
    await on.proxy.always({ kind: "refuse" });
    writeFileSync(join(on.rig.cwd, "on"), "");
    expect((await first.finished).code).toBe(3);
    await waitFor(() => processesIn(on.rig.root).length === 0, { timeoutMs: 20_000 });
    const aside = join(on.rig.root, "aside");
    renameSync(on.rig.journals, aside);
    await on.proxy.always();
    const runId = (await on.runs())[0]?.info.runId ?? "";
    expect(await track("resume", "--sync-timeout", "30s", runId, "--", "true")).toMatchObject({ code: 0 });
    expect(await track("sync", aside)).toMatchObject({ code: 0 });
    const [run, ...others] = await on.runs();
    expect(others).toEqual([]);
    expect(run?.info.status).toBe("FINISHED");
    expect(metricsOf(run as Run)).toEqual({ late: 1 });
    expect(tagsOf(run as Run)).toMatchObject({ "track.attempt": "2", "track.exit_code": "0" });
  });
});
