import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/settings/run-options.ts";
import { type ConfigOptions, withConfig } from "../../src/settings/with-config.ts";

const typed = (options: Partial<RunOptions> = {}): RunOptions => ({ tags: [], params: [], ...options });
const outer = { TRACK_RUN_ID: "f".repeat(32) };

describe("option > environment > file", () => {
  test.each<[string, Partial<RunOptions>, Record<string, string>, ConfigOptions, Partial<RunOptions>]>([
    ["a file alone", {}, {}, { graceMs: 1, quiet: true }, { graceMs: 1, quiet: true }],
    ["an option wins", { graceMs: 2, quiet: false }, {}, { graceMs: 1, quiet: true }, { graceMs: 2, quiet: false }],
    ["a variable wins", {}, { MLFLOW_TRACKING_URI: "sqlite:///e" }, { trackingUri: "sqlite:///f" }, {}],
    [
      "an empty variable does not",
      {},
      { MLFLOW_TRACKING_URI: "" },
      { trackingUri: "sqlite:///f" },
      { trackingUri: "sqlite:///f" },
    ],
    ["interval variable", {}, { MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL: "5" }, { samplingIntervalSeconds: 1 }, {}],
    ["sampling variable", {}, { MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "true" }, { systemMetrics: false }, {}],
    [
      "what an outer run hands down is no setting",
      {},
      { ...outer, MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING: "false", MLFLOW_EXPERIMENT_ID: "3" },
      { systemMetrics: true, experimentName: "f" },
      { systemMetrics: true, experimentName: "f" },
    ],
    [
      "an experiment's id and name are one choice",
      { experimentId: "3" },
      {},
      { experimentName: "f" },
      { experimentId: "3" },
    ],
    ["also in the environment", {}, { MLFLOW_EXPERIMENT_ID: "3" }, { experimentName: "f" }, {}],
    ["--no-nested leaves the file's parent", { nested: false }, {}, { parentRunId: "p" }, { nested: false }],
    [
      "a run that exists keeps its name and text",
      { runId: "r" },
      {},
      { runName: "n", description: "d", parentRunId: "p", quiet: true },
      { runId: "r", quiet: true },
    ],
    [
      "a typed note is the description",
      { tags: [["mlflow.note.content", "t"]] },
      {},
      { description: "d" },
      { tags: [["mlflow.note.content", "t"]] },
    ],
  ])("%s", (_, options, env, config, expected) => {
    expect(withConfig(typed(options), config, env)).toEqual(typed(expected));
  });
});

test("tags and params are merged key by key", () => {
  const config: ConfigOptions = {
    tags: [
      ["a", "file"],
      ["b", "file"],
      ["c", "file"],
      ["mlflow.note.content", "file"],
    ],
    params: [
      ["lr", "1"],
      ["opt", "adam"],
    ],
  };
  const options = typed({ tags: [["a", "typed"]], params: [["lr", "2"]], description: "typed" });
  expect(withConfig(options, config, { MLFLOW_RUN_CONTEXT: '{"b":"env"}' })).toEqual({
    tags: [
      ["c", "file"],
      ["a", "typed"],
    ],
    params: [
      ["opt", "adam"],
      ["lr", "2"],
    ],
    description: "typed",
  });
  expect(withConfig(typed(), config, { MLFLOW_RUN_CONTEXT: "no json" }).tags).toEqual(config.tags);
});
