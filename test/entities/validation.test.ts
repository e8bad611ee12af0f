import { describe, expect, test } from "vitest";
import {
  checkArtifactLocation,
  checkDatasetInput,
  checkExperimentId,
  checkExperimentName,
  checkExperimentTag,
  checkKey,
  checkLoggedModelName,
  checkMetric,
  checkParam,
  checkParamKeysUnique,
  checkRunId,
  checkRunTag,
  findKeyFault,
  truncateParamValue,
  truncateTagValue,
} from "../../src/entities/validation.ts";

const face = "\u{1F600}";

describe("keys", () => {
  const good = [
    "loss",
    "train/loss",
    "a.b-c_d e:f",
    "größe",
    "精度",
    "x²",
    "ⅷ",
    ".hidden",
    "a/..b",
    "a/.b",
    " ",
    "k".repeat(250),
    "𝒳".repeat(250),
  ];
  test.each(good)("%j is taken", (key) => {
    expect(findKeyFault(key)).toBeUndefined();
  });

  const bad = [
    "",
    ".",
    "..",
    "..a",
    "/a",
    "a/",
    "a//b",
    "./a",
    "a/.",
    "a/../b",
    "a\\b",
    "a\nb",
    "a@b",
    "a%",
    "e\u0301",
    face,
    "k".repeat(251),
  ];
  test.each(bad)("%j is refused", (key) => {
    expect(findKeyFault(key)).toEqual(expect.any(String));
    expect(() => checkKey("param", key)).toThrow(expect.objectContaining({ errorCode: "INVALID_PARAMETER_VALUE" }));
  });

  test("the refusal names kind and key on one line, a long key cut", () => {
    expect(() => checkKey("metric", "a@b")).toThrow("Invalid metric name: 'a@b': names may only contain");
    expect(() => checkKey("tag", `a\n${"b".repeat(5000)}`)).toThrow(/^Invalid tag name: 'a\\nb{98}\.\.\.'[^\n]*$/u);
  });
});

describe("metrics", () => {
  const metric = { key: "m", value: 1, timestamp: 1, step: 0 };
  const good = [
    { value: Number.NaN },
    { value: Number.NEGATIVE_INFINITY },
    { timestamp: 0 },
    { step: -5 },
    { step: 2 ** 60 },
  ];
  test.each(good)("%j is taken", (fields) => {
    expect(() => checkMetric({ ...metric, ...fields })).not.toThrow();
  });

  const bad = [
    { value: "1" as unknown as number },
    { timestamp: -1 },
    { timestamp: 1.5 },
    { timestamp: Number.NaN },
    { step: 0.5 },
    { step: 2 ** 63 },
    { step: Number.POSITIVE_INFINITY },
  ];
  test.each(bad)("%j is refused, naming field and metric", (fields) => {
    expect(() => checkMetric({ ...metric, ...fields })).toThrow(
      new RegExp(`'${Object.keys(fields)[0]}' of metric 'm'`, "u"),
    );
  });
});

describe("lengths are code points", () => {
  const cases: [what: string, limit: number, check: (text: string) => void][] = [
    ["param value", 6000, (value) => checkParam({ key: "k", value })],
    ["run tag value", 8000, (value) => checkRunTag({ key: "k", value })],
    ["experiment tag value", 5000, (value) => checkExperimentTag({ key: "k", value })],
    ["experiment name", 500, checkExperimentName],
    ["artifact location", 2048, checkArtifactLocation],
    ["dataset digest", 36, (digest) => checkDatasetInput({ dataset: { ...dataset, digest }, tags: [] })],
    ["dataset name", 500, (name) => checkDatasetInput({ dataset: { ...dataset, name }, tags: [] })],
    ["dataset tag value", 500, (value) => checkDatasetInput({ dataset, tags: [{ key: "k", value }] })],
  ];
  const dataset = { name: "n", digest: "d", sourceType: "local", source: "{}" };
  test.each(cases)("%s: %i", (_what, limit, check) => {
    expect(() => check(face.repeat(limit))).not.toThrow();
    expect(() => check(face.repeat(limit + 1))).toThrow(`at most ${limit} are allowed`);
  });
});

test("values over the limit are cut between characters, and it is said", () => {
  expect(truncateParamValue(face.repeat(6001))).toEqual({ value: face.repeat(6000), isCut: true });
  expect(truncateParamValue("x".repeat(6000))).toEqual({ value: "x".repeat(6000), isCut: false });
  expect(truncateTagValue("x".repeat(8001))).toEqual({ value: "x".repeat(8000), isCut: true });
  expect(() => checkParam({ key: "k", value: truncateParamValue(face.repeat(7000)).value })).not.toThrow();
});

test("a param named twice is refused, even with equal values", () => {
  expect(() =>
    checkParamKeysUnique([
      { key: "a", value: "1" },
      { key: "a", value: "1" },
    ]),
  ).toThrow("Duplicate parameter keys");
  expect(() =>
    checkParamKeysUnique([
      { key: "a", value: "1" },
      { key: "b", value: "1" },
    ]),
  ).not.toThrow();
});

test("ids, names and locations", () => {
  for (const id of ["0", "12", "999999999999999999"]) expect(() => checkExperimentId(id)).not.toThrow();
  for (const id of ["", "abc", "-1", "1.5", "1 "]) expect(() => checkExperimentId(id)).toThrow("Invalid experiment ID");
  for (const id of ["a".repeat(32), "m-0", "A_b-c"]) expect(() => checkRunId(id)).not.toThrow();
  for (const id of ["", "-a", "a/b", "a".repeat(257)]) expect(() => checkRunId(id)).toThrow("Invalid run ID");
  expect(() => checkExperimentName("")).toThrow("Invalid experiment name");
  expect(() => checkArtifactLocation("runs:/x")).toThrow("runs:/");
  for (const name of ["", "a/b", "a.b", "50%"]) expect(() => checkLoggedModelName(name)).toThrow("Invalid model name");
});
