import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/settings/run-options.ts";
import { resolveRunSettings } from "../../src/settings/run-settings.ts";

const typed = (options: Partial<RunOptions> = {}): RunOptions => ({ tags: [], params: [], ...options });
const resolve = (options: Partial<RunOptions>, env: Record<string, string>) =>
  resolveRunSettings(typed(options), env, "/w");

describe("which experiment", () => {
  test.each([
    ["nothing said", {}, {}, { experimentId: "0" }],
    ["option over environment", { experimentName: "a" }, { MLFLOW_EXPERIMENT_NAME: "b" }, { experimentName: "a" }],
    ["id option over name variable", { experimentId: "3" }, { MLFLOW_EXPERIMENT_NAME: "b" }, { experimentId: "3" }],
    ["name variable", {}, { MLFLOW_EXPERIMENT_NAME: "b" }, { experimentName: "b" }],
    ["id variable", {}, { MLFLOW_EXPERIMENT_ID: "7" }, { experimentId: "7" }],
    [
      "an empty variable is not set",
      {},
      { MLFLOW_EXPERIMENT_NAME: "", MLFLOW_EXPERIMENT_ID: "7" },
      { experimentId: "7" },
    ],
    [
      "inside a run its id is the default",
      {},
      { TRACK_RUN_ID: "f".repeat(32), MLFLOW_EXPERIMENT_ID: "7" },
      { experimentId: "7" },
    ],
  ])("%s", (_, options, env, experiment) => {
    expect(resolve(options, env).experiment).toEqual(experiment);
  });

  test("name and id variables must agree, unless the id is an outer run's", () => {
    const both = { MLFLOW_EXPERIMENT_NAME: "b", MLFLOW_EXPERIMENT_ID: "7" };
    expect(resolve({}, both).expectedExperimentId).toBe("7");
    expect(resolve({}, { ...both, TRACK_RUN_ID: "f".repeat(32) }).expectedExperimentId).toBeUndefined();
  });
});

describe("which run and parent", () => {
  const outer = "a".repeat(32);
  test("MLFLOW_RUN_ID attaches, but not an outer run's own", () => {
    expect(resolve({}, { MLFLOW_RUN_ID: "b".repeat(32) }).runId).toBe("b".repeat(32));
    expect(resolve({}, { MLFLOW_RUN_ID: outer, TRACK_RUN_ID: outer }).runId).toBeUndefined();
    expect(resolve({ runId: "c" }, { MLFLOW_RUN_ID: "b" }).runId).toBe("c");
  });

  test("an inner run is a child, unless --no-nested", () => {
    expect(resolve({}, { TRACK_RUN_ID: outer }).parentRunId).toBe(outer);
    expect(resolve({ nested: false }, { TRACK_RUN_ID: outer }).parentRunId).toBeUndefined();
    expect(resolve({ parentRunId: "p" }, { TRACK_RUN_ID: outer }).parentRunId).toBe("p");
  });

  test("MLFLOW_RUN_CONTEXT gives tags; the outer run's parent entry is none", () => {
    const context = JSON.stringify({ team: "vision", n: 3, "mlflow.parentRunId": outer });
    expect(resolve({}, { MLFLOW_RUN_CONTEXT: context, TRACK_RUN_ID: outer }).tags).toEqual([
      { key: "team", value: "vision" },
      { key: "n", value: "3" },
    ]);
    expect(resolve({}, { MLFLOW_RUN_CONTEXT: "no json" }).tags).toEqual([]);
  });
});

describe("system metrics", () => {
  test.each([
    ["default on", {}, {}, true],
    ["variable off", {}, { MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "False" }, false],
    ["option over variable", { systemMetrics: true }, { MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "0" }, true],
    ["an outer run's switch is none", {}, { MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "false", TRACK_RUN_ID: "a" }, true],
  ])("%s", (_, options, env, enabled) => {
    expect(resolve(options, env).sampling.enabled).toBe(enabled);
  });

  test.each([
    { MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "yes" },
    { MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: "often" },
    { MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: "0" },
  ])("a value that cannot be meant is a mistake: %o", (env) => {
    expect(() => resolve({}, env)).toThrow(expect.objectContaining({ exitCode: 125 }));
  });
});

test("a description twice is a mistake", () => {
  expect(() => resolve({ description: "x", tags: [["mlflow.note.content", "y"]] }, {})).toThrow(
    /description is given twice/u,
  );
});

test.each([
  [undefined, {}, "sqlite:////w/mlflow.db"],
  ["sqlite:///runs/a.db", {}, "sqlite:////w/runs/a.db"],
  [undefined, { MLFLOW_TRACKING_URI: "sqlite:////x/y.db" }, "sqlite:////x/y.db"],
  ["https://mlflow.example", { MLFLOW_TRACKING_URI: "sqlite:////x/y.db" }, "https://mlflow.example"],
])("tracking URI %s with %o", (trackingUri, env, expected) => {
  expect(resolve(trackingUri === undefined ? {} : { trackingUri }, env).trackingUri).toBe(expected);
});
