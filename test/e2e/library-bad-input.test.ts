import { beforeAll, describe, expect, test } from "vitest";
import { printed, runProgram, setupLibrary } from "./library-rig.ts";

/** A call, and the code of MLflow's that it fails with. `run`, `deleted`, `ended` and `unknown` are ids; `client` is a TrackingClient. */
const invalid = [
  "track.logMetric(7, 1)",
  'track.logMetric("", 1)',
  'track.logMetric("a//b", 1)',
  'track.logMetric("../a", 1)',
  'track.logMetric("a\\nb", 1)',
  'track.logMetric("x".repeat(251), 1)',
  'track.logMetric("m")',
  'track.logMetric("m", "1")',
  'track.logMetric("m", true)',
  'track.logMetric("m", null)',
  'track.logMetric("m", 1n)',
  'track.logMetric("m", 1, 5)',
  'track.logMetric("m", 1, null)',
  'track.logMetric("m", 1, { step: 0.5 })',
  'track.logMetric("m", 1, { step: NaN })',
  'track.logMetric("m", 1, { step: "1" })',
  'track.logMetric("m", 1, { step: 2 ** 60 })',
  'track.logMetric("m", 1, { timestamp: -1 })',
  'track.logMetric("m", 1, { timestamp: NaN })',
  'track.logMetric("m", 1, { timestamp: Infinity })',
  'track.logMetric("m", 1, { setp: 1 })',
  "track.logMetrics(null)",
  "track.logMetrics([1])",
  'track.logMetrics({ good: 1, "bad\\n": 2 })',
  'track.logMetrics({ good: 1, bad: "2" })',
  'track.logParam("", 1)',
  'track.logParam("p")',
  'track.logParam("p", NaN)',
  'track.logParam("p", -Infinity)',
  'track.logParam("p", () => 1)',
  'track.logParam("p", Symbol("x"))',
  'track.logParam("p", { big: 1n })',
  'track.logParam("known", "other")',
  'track.logParams({ fresh: 1, known: "other" })',
  'track.logParams("p")',
  'track.setTag("a\\0b", 1)',
  'track.setTag("t", undefined)',
  'track.setTags({ "..": 1 })',
  "track.deleteTag(5)",
  'track.setExperimentTag("t", "x".repeat(20001))',
  'track.logArtifact("train.mjs", "../up")',
  'track.logArtifact("train.mjs", "/abs")',
  "track.logArtifact(7)",
  'track.logArtifacts("train.mjs")',
  'track.logText("x", "")',
  'track.logText("x", "a/../b")',
  'track.logText(7, "a.txt")',
  'track.logDict(undefined, "a.json")',
  'track.logDict({ n: 1n }, "a.json")',
  'track.logTable({ a: [1], b: [1, 2] }, "t.json")',
  'track.logTable({ a: 1n }, "t.json")',
  'track.logTable({ a: [1, "x"] }, "t.parquet")',
  'track.logTable({ a: [() => 1] }, "t.parquet")',
  'track.logTable([1], "t.json")',
  'track.logTable({ a: [1] }, "t.csv")',
  'track.logInput({ name: "" })',
  'track.logInput({ name: "d", digest: "x".repeat(37) })',
  'track.logInput({ name: "x".repeat(501) })',
  "track.logInput({})",
  'track.logInput({ name: "d" }, { context: "x".repeat(501) })',
  "track.startRun(null)",
  'track.startRun({ nested: true, name: "x" })',
  'track.startRun({ nested: "yes" })',
  "track.startRun({ nested: true, runName: 5 })",
  'track.startRun({ nested: true, runId: "no id!" })',
  'track.startRun({ nested: true, parentRunId: "-" })',
  "track.startRun({ nested: true, experimentId: {} })",
  'track.startRun({ nested: true, tags: ["a"] })',
  'track.startRun({ nested: true, tags: { "a//b": 1 } })',
  'track.startRun({ nested: true, description: "a", tags: { "mlflow.note.content": "b" } })',
  'track.startRun({ nested: true, runName: "a", tags: { "mlflow.runName": "b" }, experimentId: gone })',
  "track.withRun({ nested: true, runName: 5 }, () => {})",
  'track.endRun("DONE")',
  'track.endRun("RUNNING")',
  'track.activeRun().end("SCHEDULED")',
  "track.setExperiment(5)",
  'track.setExperiment("")',
  'track.setExperiment("x".repeat(501))',
  'track.setExperiment("deleted")',
  'track.setTrackingUri("ftp://x")',
  "track.setTrackingUri(5)",
  'track.getRun("no id!")',
  "track.getRun()",
  "track.getMetricHistory(run, 5)",
  'track.searchRuns({ filter: "metrics.x ~ 1" })',
  'track.searchRuns({ filter: "nonsense" })',
  "track.searchRuns({ filter: 5 })",
  "track.searchRuns({ maxResults: 0 })",
  "track.searchRuns({ maxResults: NaN })",
  'track.searchRuns({ orderBy: ["metrics"] })',
  'track.searchRuns({ experimentIds: ["0"], experimentNames: ["Default"] })',
  "track.searchRuns({ max: 5 })",
  'track.searchExperiments({ filter: "x" })',
  'track.flush({ to: "moon" })',
  'new track.TrackingClient({ uri: "x" })',
  'client.logMetric(run, "m", "1")',
  'client.logMetric(run, "m", 1, { step: NaN })',
  'client.logMetric(deleted, "m", 1)',
  'client.logParam(run, "known", "other")',
  "client.logBatch(run, { metric: [] })",
  'client.logBatch(run, { params: [{ key: "a", value: 1 }] })',
  'client.createRun("0", { startTime: -1 })',
  "client.createRun(gone)",
  'client.setTerminated(run, "RUNNING")',
  'client.createExperiment("")',
];

const others = [
  ["track.startRun()", "INVALID_STATE"],
  ["track.withRun({}, () => {})", "INVALID_STATE"],
  ["track.startRun({ nested: true, runId: unknown })", "RESOURCE_DOES_NOT_EXIST"],
  ["track.startRun({ nested: true, runId: deleted })", "INTERNAL_ERROR"],
  ["track.startRun({ nested: true, parentRunId: deleted })", "INTERNAL_ERROR"],
  ['track.startRun({ nested: true, experimentId: "999" })', "RESOURCE_DOES_NOT_EXIST"],
  ['track.setExperiment({ experimentId: "999" })', "RESOURCE_DOES_NOT_EXIST"],
  ['track.deleteTag("never")', "RESOURCE_DOES_NOT_EXIST"],
  ['track.logArtifact("nowhere")', "RESOURCE_DOES_NOT_EXIST"],
  ['track.logArtifacts("nowhere")', "RESOURCE_DOES_NOT_EXIST"],
  ["track.getRun(unknown)", "RESOURCE_DOES_NOT_EXIST"],
  ["track.deleteRun(unknown)", "RESOURCE_DOES_NOT_EXIST"],
  ['track.searchRuns({ experimentNames: ["nowhere"] })', "RESOURCE_DOES_NOT_EXIST"],
  ['client.logMetric(unknown, "m", 1)', "RESOURCE_DOES_NOT_EXIST"],
  ['client.createExperiment("deleted")', "RESOURCE_ALREADY_EXISTS"],
  ['client.getExperiment("999")', "RESOURCE_DOES_NOT_EXIST"],
  ['client.deleteTag(run, "never")', "RESOURCE_DOES_NOT_EXIST"],
] as const;

/** These are as good as any: a run that has ended takes all that is said, as in MLflow. */
const fine = [
  'track.logMetric("m", NaN)',
  'track.logMetric("größe 1:2/3.4-5_6", -0, { step: -5, timestamp: 0 })',
  'track.logParam("known", "value")',
  'track.logParam("long", "x".repeat(10000))',
  'track.logParam("nothing", null)',
  'client.logMetric(ended, "m", 1)',
  'client.setTag(ended, "late", 1)',
  "client.setTerminated(ended)",
];

const cases = [
  ...invalid.map((call) => [call, "INVALID_PARAMETER_VALUE"] as const),
  ...others,
  ...fine.map((call) => [call, "fine"] as const),
];

describe("bad input", () => {
  let answers: ReadonlyMap<string, unknown>;

  beforeAll(async () => {
    await using rig = setupLibrary();
    const done = await runProgram(
      rig,
      `const client = new track.TrackingClient();
       const gone = await client.createExperiment("deleted");
       await client.deleteExperiment(gone);
       const deleted = (await client.createRun("0")).info.runId;
       await client.deleteRun(deleted);
       const ended = (await client.createRun("0")).info.runId;
       await client.setTerminated(ended);
       const unknown = "0".repeat(32);
       await track.startRun();
       const run = track.activeRun().info.runId;
       track.logParam("known", "value");
       const calls = {
         ${cases.map(([call]) => `${JSON.stringify(call)}: () => ${call},`).join("\n")}
       };
       for (const [name, call] of Object.entries(calls)) {
         let answer = "fine";
         try {
           await call();
         } catch (error) {
           answer = error instanceof track.StoreError ? error.errorCode : String(error);
           if (error.message === "" || error.message.includes("\\n")) answer += " without one line of text";
         }
         console.log(JSON.stringify([name, answer]));
       }
       console.log(JSON.stringify(["active", track.activeRun().info.runId === run]));`,
    );
    answers = new Map(printed(done) as [string, unknown][]);
  });

  test.for(cases)("%s: %s", ([call, expected]) => {
    expect(answers.get(call)).toBe(expected);
  });

  test("none of it has changed which run is active", () => expect(answers.get("active")).toBe(true));
});
