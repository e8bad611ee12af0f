import { expect, test } from "vitest";
import { parseLine } from "../../src/intake/record-parser.ts";

function record(text: string): unknown {
  const request = parseLine(text);
  if (request.kind !== "record") throw new Error(JSON.stringify(request));
  return request.record;
}

function bad(line: string | object): string {
  const request = parseLine(typeof line === "string" ? line : JSON.stringify(line));
  if (request.kind !== "bad") throw new Error(JSON.stringify(request));
  expect(request.code).toBe("INVALID_PARAMETER_VALUE");
  return request.message;
}

test("metrics with step and timestamp", () => {
  expect(record('{"metrics":{"loss":0.31,"acc":0.9},"step":10,"timestamp":1790000000000}')).toEqual({
    type: "batch",
    metrics: [
      ["loss", 0.31],
      ["acc", 0.9],
    ],
    step: 10,
    timestamp: 1790000000000,
  });
});

test("params and tags, and a run of the family", () => {
  expect(record('{"run_id":"abc","params":{"lr":"0.01"},"tags":{"phase":"warm-up"}}')).toEqual({
    type: "batch",
    runId: "abc",
    params: [["lr", "0.01"]],
    tags: [["phase", "warm-up"]],
  });
});

test("metrics, params and tags may share a line", () => {
  expect(record('{"tags":{"a":"b"},"metrics":{"m":1},"params":{"p":"q"}}')).toEqual({
    type: "batch",
    metrics: [["m", 1]],
    params: [["p", "q"]],
    tags: [["a", "b"]],
  });
});

test("artifact and text", () => {
  expect(record('{"artifact":"out/model.bin","artifact_path":"checkpoints","cwd":"/w"}')).toEqual({
    type: "artifact",
    path: "out/model.bin",
    artifactPath: "checkpoints",
    cwd: "/w",
  });
  expect(record('{"artifact":"/abs","run_id":"r"}')).toEqual({ type: "artifact", path: "/abs", runId: "r" });
  expect(record('{"text":"","artifact_file":"notes/a.txt"}')).toEqual({
    type: "text",
    text: "",
    artifactFile: "notes/a.txt",
  });
});

test("flush and get", () => {
  expect(parseLine('{"flush":true,"id":7}')).toEqual({ kind: "flush", level: "journal", id: "7" });
  expect(parseLine('{"flush":"store"}')).toEqual({ kind: "flush", level: "store", id: undefined });
  expect(parseLine('{"get":"run","id":8}')).toEqual({ kind: "get", runId: undefined, id: "8" });
  expect(parseLine('{"get":"run","run_id":"r","id":8}')).toEqual({ kind: "get", runId: "r", id: "8" });
  expect(bad({ flush: false })).toBe('"flush" must be true or "store", not "false"');
  expect(bad({ get: "x" })).toBe('"get" must be "run", not "\\"x\\""');
});

test("NaN and infinities are strings; other strings, booleans and null are no numbers", () => {
  expect(record('{"metrics":{"a":"NaN","b":"Infinity","c":"-Infinity"}}')).toEqual({
    type: "batch",
    metrics: [
      ["a", Number.NaN],
      ["b", Number.POSITIVE_INFINITY],
      ["c", Number.NEGATIVE_INFINITY],
    ],
  });
  for (const value of ["0.3", "nan", "", true, null, [1], { v: 1 }]) {
    expect(bad({ metrics: { loss: value } })).toContain('metric "loss" must be a number');
  }
});

test("a param or tag that is no string is its JSON text, digits as they were written", () => {
  const line =
    '{"params":{"a":1.0,"b":1e-05,"c":true,"d":null,"e":12345678901234567890,"f":[1.0,{"g":"h"}],"s":"1"},"tags":{"t":0.10}}';
  expect(record(line)).toEqual({
    type: "batch",
    params: [
      ["a", "1.0"],
      ["b", "1e-05"],
      ["c", "true"],
      ["d", "null"],
      ["e", "12345678901234567890"],
      ["f", '[1.0,{"g":"h"}]'],
      ["s", "1"],
    ],
    tags: [["t", "0.10"]],
  });
});

test.each([
  ["7", "7"],
  ["-1", "-1"],
  ['"a\\u00e9\\n"', '"aé\\n"'],
  ["1.50", "1.50"],
  ["12345678901234567890", "12345678901234567890"],
  ['""', '""'],
])("the id %s is echoed as %s", (given, echoed) => {
  expect(parseLine(`{"metrics":{"a":1},"id":${given}}`)).toMatchObject({ kind: "record", id: echoed });
  expect(parseLine(`{"params":{"id":5},"nonsense":1,"id":${given}}`)).toMatchObject({ kind: "bad", id: echoed });
});

test.each(["null", "true", "[1]", '{"a":1}'])("the id %s is refused with the id null", (given) => {
  expect(parseLine(`{"metrics":{"a":1},"id":${given}}`)).toMatchObject({
    kind: "bad",
    id: "null",
    reason: "bad-value",
  });
});

test.each(["", "rubbish", "NaN", "5", '"text"', "[]", "null", "true", '{"a":', '{"metrics":{"a":1}} x'])(
  "%s is no JSON object: the id is null",
  (text) => {
    expect(parseLine(text)).toMatchObject({ kind: "bad", id: "null", reason: "no-object" });
  },
);

test("a bare NaN gets advice", () => {
  expect(bad('{"metrics":{"a":NaN},"id":1}')).toContain('are the strings "NaN"');
});

test("a bad line without id asks for no reply", () => {
  expect(parseLine('{"metrics":{"a":true}}')).toMatchObject({ kind: "bad", id: undefined });
});

test("step is a whole number, negative too; timestamp a whole number of 0 or more", () => {
  expect(record('{"metrics":{"a":1},"step":-5,"timestamp":0}')).toMatchObject({ step: -5, timestamp: 0 });
  expect(record('{"metrics":{"a":1},"step":3.0}')).toMatchObject({ step: 3 });
  for (const step of [1.5, "1", true, 1e300]) expect(bad({ metrics: { a: 1 }, step })).toContain('"step" must be');
  for (const timestamp of [-1, 1.5, "1", true]) {
    expect(bad({ metrics: { a: 1 }, timestamp })).toContain('"timestamp" must be');
  }
});

test("null stands for an optional field that was not given", () => {
  expect(record('{"metrics":{"a":1},"step":null,"timestamp":null,"run_id":null}')).toEqual({
    type: "batch",
    metrics: [["a", 1]],
  });
});

test("unknown fields are named", () => {
  expect(bad({ metrics: { a: 1 }, epoch: 3 })).toBe('unknown field "epoch"');
  expect(bad({ artifact: "a", ttl: 3 })).toBe('unknown field "ttl"');
  expect(bad('{"__proto__":1}')).toBe('unknown field "__proto__"');
});

test("artifact, text, flush and get come alone", () => {
  expect(bad({ artifact: "a", metrics: { m: 1 } })).toContain('"artifact" comes alone in its line, without "metrics"');
  expect(bad({ params: {}, text: "a", artifact_file: "b" })).toContain('"text" comes alone');
  expect(bad({ flush: true, tags: {} })).toContain('"flush" comes alone');
  expect(bad({ get: "run", step: 1 })).toContain('"get" comes alone');
  expect(bad({ artifact: "a", flush: true })).toContain("comes alone");
  expect(bad({ metrics: { a: 1 }, artifact_path: "x" })).toBe('"artifact_path" belongs to a line with "artifact"');
  expect(bad({ metrics: { a: 1 }, artifact_file: "x" })).toBe('"artifact_file" belongs to a line with "text"');
});

test("MLflow's rules for names", () => {
  for (const name of ["", "a//b", "a/", "/a", "../a", "a\u0000", "a=b", "x".repeat(251)]) {
    expect(bad({ metrics: { [name]: 1 } })).toContain("Invalid metric name");
    expect(bad({ params: { [name]: "1" } })).toContain("Invalid param name");
    expect(bad({ tags: { [name]: "1" } })).toContain("Invalid tag name");
  }
  const names = { "a/b.c-d e:f": 1, Größe: 2, ["x".repeat(250)]: 3, __proto__x: 4 };
  expect(record(JSON.stringify({ metrics: names }))).toMatchObject({ metrics: Object.entries(names) });
  expect(record('{"metrics":{"__proto__":1}}')).toMatchObject({ metrics: [["__proto__", 1]] });
});

test("values of the wrong shape", () => {
  expect(bad({ metrics: [1] })).toContain('"metrics" must be an object');
  expect(bad({ params: "a" })).toContain('"params" must be an object');
  expect(bad({ tags: null })).toContain('"tags" must be an object');
  expect(bad({ artifact: 5 })).toContain('"artifact" must be a string');
  expect(bad({ artifact: "" })).toContain("is no path");
  expect(bad({ artifact: "a\u0000b" })).toContain("is no path");
  expect(bad({ artifact: "a", cwd: "relative" })).toContain('"cwd" must be an absolute path');
  expect(bad({ text: 5, artifact_file: "a" })).toContain('"text" must be a string');
  expect(bad({ text: "a" })).toContain('"artifact_file" must be a string');
  expect(bad({ metrics: { a: 1 }, run_id: "../x" })).toContain("Invalid run ID");
  expect(bad({ metrics: { a: 1 }, run_id: 5 })).toContain('"run_id" must be a string');
  expect(bad({})).toContain("says nothing");
  expect(bad({ step: 5, id: 1 })).toContain("says nothing");
});

test.each(["/abs", "..", "../x", "a/../b", "a//b", "a/", "./a", ".", ""])("the artifact path %j is refused", (path) => {
  expect(bad({ artifact: "a", artifact_path: path })).toContain('"artifact_path"');
  expect(bad({ text: "a", artifact_file: path })).toContain('"artifact_file"');
});

test("absurd nesting is a bad line, not a crash", () => {
  const deep = "[".repeat(400_000) + "]".repeat(400_000);
  expect(parseLine(`{"params":{"a":${deep}},"id":1}`)).toMatchObject({ kind: "bad", id: "1" });
  expect(parseLine(`{"metrics":{"a":${deep}},"id":1}`)).toMatchObject({ kind: "bad", id: "1" });
  expect(parseLine(`{"id":${deep}}`)).toMatchObject({ kind: "bad", id: "null" });
});

test("what a message quotes is short and printable", () => {
  const message = bad(`\u001b[31m${"x".repeat(100_000)}\ud800`);
  expect(message.length).toBeLessThan(200);
  expect(message).not.toContain("\u001b");
});

test("a program has one of its runs sampled", () => {
  const line = { sampling: { on: true, pid: 77, first_step: 4 }, run_id: "abc", id: 1 };
  expect(parseLine(JSON.stringify(line))).toEqual({
    kind: "sampling",
    id: "1",
    request: { isOn: true, pid: 77, firstStep: 4, runId: "abc" },
  });
  expect(bad({ sampling: true })).toMatch(/"sampling" is not understood/u);
  expect(bad({ sampling: { on: true } })).toMatch(/"sampling" is not understood/u);
  expect(bad({ sampling: { on: true, pid: 1 }, step: 1 })).toMatch(/"sampling" comes alone/u);
});
