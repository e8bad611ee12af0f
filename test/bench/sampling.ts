import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { waitFor } from "../e2e/rig.ts";
import type { Bench } from "./bench.ts";
import { BenchRig, track } from "./bench-rig.ts";
import { atMost, median } from "./figure.ts";
import { findRecorder, readCpuMs, readMemory } from "./processes.ts";

/** Ten processes that do nothing, ended by one TERM. */
const idleCommand = `for each in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & all="$all $!"; done; trap "kill $all" TERM; wait; wait; exit 0`;

/** What watching an idle command costs: CPU of the recorder that samples every second, memory of both processes. */
export const sampling: Bench = async ({ tools, report, isQuick }) => {
  await using rig = new BenchRig(tools);
  const seconds = isQuick ? 6 : 60;
  // The usual case is a folder with a database; looking at it before the start costs the wrapper memory.
  rig.measure([track, "run", "--quiet", "--", "true"]);
  const run = rig.start(["run", "--quiet", "--sampling-interval", "1", "--", "sh", "-c", idleCommand]);
  const wrapper = run.process.pid ?? 0;
  const recorder = await waitFor(() => findRecorder(rig.root), { what: "the recorder runs" });
  // What the start costs is measured elsewhere.
  await sleep(4000);
  const before = { recorder: readCpuMs(recorder), wrapper: readCpuMs(wrapper), at: performance.now() };
  const memory: { readonly wrapper: number; readonly recorder: number }[] = [];
  for (let second = 0; second < seconds; second += 1) {
    memory.push({ wrapper: rssOf(wrapper), recorder: rssOf(recorder) });
    await sleep(1000);
  }
  const elapsedMs = performance.now() - before.at;
  const after = { recorder: readCpuMs(recorder), wrapper: readCpuMs(wrapper) };
  run.process.kill("SIGTERM");
  if ((await run.finished).code !== 0) throw new Error(`the run failed: ${run.stderr()}`);
  const percent = (ms: number): number => (ms / elapsedMs) * 100;
  report({
    name: "recorder's CPU, a sample a second",
    unit: "% of a core",
    ours: percent(after.recorder.own - before.recorder.own),
    limit: atMost(0.5, "ours"),
    details: {
      helpersPercent: percent(after.recorder.helpers - before.recorder.helpers),
      wrapperPercent: percent(after.wrapper.own - before.wrapper.own),
      samples: countSamples(rig),
    },
  });
  report({
    name: "wrapper's memory, idle",
    unit: "MB",
    ours: median(memory.map((each) => each.wrapper)),
    limit: atMost(55, "ours"),
  });
  report({
    name: "recorder's memory, idle",
    unit: "MB",
    ours: median(memory.map((each) => each.recorder)),
    limit: atMost(90, "ours"),
  });
};

function rssOf(pid: number): number {
  const memory = readMemory(pid);
  if (memory === undefined) throw new Error(`process ${pid} is gone`);
  return memory.rssMegabytes;
}

function countSamples(rig: BenchRig): number {
  using database = new DatabaseSync(rig.database, { readOnly: true });
  const sql = "SELECT count(*) AS samples FROM metrics WHERE \"key\" = 'system/cpu_utilization_percentage'";
  const samples = Number(database.prepare(sql).get()?.["samples"]);
  if (samples === 0) throw new Error("nothing was sampled");
  return samples;
}
