import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { expect, test } from "vitest";
import { log, type LogContext, type LogOptions } from "../../../src/cli/commands/log.ts";
import type { RunWriter } from "../../../src/cli/run-writer-target.ts";
import { invalidParameter, TrackError, UsageError } from "../../../src/errors.ts";
import type { LogBatchRequest } from "../../../src/store/tracking-store.ts";
import { SocketRig } from "../../intake/intake-rig.ts";

const now = 1_790_000_000_000;

/** A store in memory: what was written to which run. */
class Store {
  readonly batches: LogBatchRequest[] = [];
  readonly artifacts: [string, string][] = [];
  readonly warnings: string[] = [];
  isClosed = false;

  open(run: string): Promise<RunWriter> {
    if (run !== "abcd") return Promise.reject(new TrackError(`no such run: ${run}`));
    return Promise.resolve({
      logBatch: (request) => {
        if (request.params?.some(({ value }) => value === "clash"))
          return Promise.reject(invalidParameter("param clashes"));
        this.batches.push(request);
        return Promise.resolve();
      },
      logArtifact: (localPath, artifactFile) => {
        this.artifacts.push([artifactFile, readFileSync(localPath, "latin1")]);
        return Promise.resolve();
      },
      [Symbol.asyncDispose]: () => {
        this.isClosed = true;
        return Promise.resolve();
      },
    });
  }
}

interface Rig {
  readonly socket: SocketRig;
  readonly store: Store;
  readonly logFile: string;
  readonly env: Record<string, string>;
  log(
    kind: Parameters<typeof log>[1],
    words: string[],
    options?: LogOptions,
    stdin?: string | Uint8Array,
  ): Promise<void>;
}

async function startRig(): Promise<Rig & AsyncDisposable> {
  const socket = await SocketRig.start();
  const store = new Store();
  const logFile = join(socket.folder, "log");
  writeFileSync(logFile, "");
  const env: Record<string, string> = { TRACK_SOCKET: socket.path, TRACK_LOG: logFile, TRACK_RUN_ID: "ownrun" };
  return {
    socket,
    store,
    logFile,
    env,
    log: (kind, words, options = {}, stdin = "") => {
      const context: LogContext = {
        env,
        cwd: socket.folder,
        io: { say: (message) => store.warnings.push(message) },
        now: () => now,
        stdin: () => Readable.from([Buffer.from(stdin)]),
        findLiveRun: () => Promise.resolve(undefined),
        openRunWriter: (run) => store.open(run),
      };
      return log(context, kind, words, options);
    },
    [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
  };
}

test("metrics, params and tags go to the socket of the run", async () => {
  await using rig = await startRig();
  await rig.log("metric", ["loss=0.31", "acc=nan"], { step: -1 });
  await rig.log("metric", ["loss=1e-3"], { timestamp: 5 });
  await rig.log("param", ["lr=0.01", "url=http://x?a=b", "__proto__=x"]);
  await rig.log("tag", ["phase="]);
  expect(rig.socket.handler.records).toEqual([
    {
      type: "batch",
      metrics: [
        ["loss", 0.31],
        ["acc", Number.NaN],
      ],
      step: -1,
      timestamp: now,
    },
    { type: "batch", metrics: [["loss", 0.001]], timestamp: 5 },
    {
      type: "batch",
      params: [
        ["lr", "0.01"],
        ["url", "http://x?a=b"],
        ["__proto__", "x"],
      ],
    },
    { type: "batch", tags: [["phase", ""]] },
  ]);
});

test("a refusal is an error with the socket's message and exit code 1", async () => {
  await using rig = await startRig();
  const error = await rig.log("metric", ["a//b=1"]).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TrackError);
  expect(error).toMatchObject({
    exitCode: 1,
    message: expect.stringContaining("Invalid metric name: 'a//b'") as string,
  });
});

test.each<[Parameters<typeof log>[1], string[], LogOptions, string]>([
  ["metric", [], {}, "no metric given"],
  ["metric", ["loss"], {}, "not of the form key=value: loss"],
  ["metric", ["=1"], {}, "not of the form key=value: =1"],
  ["metric", ["loss=1", "acc=high"], {}, "not a number: acc=high"],
  ["metric", ["loss=1", "loss=2"], {}, "metric loss is given twice"],
  ["metric", ["loss=1"], { step: 1.5 }, "--step is not a whole number: 1.5"],
  ["metric", ["loss=1"], { timestamp: -1 }, "--timestamp is not a whole number of milliseconds: -1"],
  ["param", ["lr"], {}, "not of the form key=value: lr"],
  ["param", ["lr=1"], { step: 1 }, "--step is for metrics"],
  ["tag", ["a=b"], { artifactPath: "x" }, "--artifact-path is for artifacts"],
  ["artifact", [], {}, "no file given"],
  ["text", [], {}, "track log text takes a file name and a text"],
  ["text", ["a", "b", "c"], {}, "track log text takes a file name and a text"],
  ["batch", ["a", "b"], {}, "track log batch takes one file"],
])("bad usage: %s %j %j", async (kind, words, options, message) => {
  await using rig = await startRig();
  const error = await rig.log(kind, words, options).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  expect(error).toMatchObject({ exitCode: 2, message });
  expect(rig.socket.handler.records).toEqual([]);
});

test("outside a run: exit code 2 and a hint", async () => {
  await using rig = await startRig();
  Object.assign(rig.env, { TRACK_SOCKET: "", TRACK_LOG: "" });
  const error = await rig.log("metric", ["loss=1"]).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ exitCode: 2, hint: expect.stringMatching(/--run.*track run/u) as string });
});

test("artifacts and texts", async () => {
  await using rig = await startRig();
  await rig.log("artifact", ["a.bin", "out/b.bin"], { artifactPath: "checkpoints/" });
  await rig.log("text", ["notes/a.txt", "it works"]);
  await rig.log("text", ["notes/b.txt", "-"], {}, "from stdin\n");
  await rig.log("text", ["notes/c.txt"], {}, "ü");
  const cwd = rig.socket.folder;
  expect(rig.socket.handler.records).toEqual([
    { type: "artifact", path: "a.bin", artifactPath: "checkpoints", cwd },
    { type: "artifact", path: "out/b.bin", artifactPath: "checkpoints", cwd },
    { type: "text", text: "it works", artifactFile: "notes/a.txt" },
    { type: "text", text: "from stdin\n", artifactFile: "notes/b.txt" },
    { type: "text", text: "ü", artifactFile: "notes/c.txt" },
  ]);
});

test("a text too long for a line, or no UTF-8, goes as a file that is there until it is taken", async () => {
  await using rig = await startRig();
  const seen: Buffer[] = [];
  const paths: string[] = [];
  rig.socket.handler.onRecord = (record) => {
    if (record.type !== "artifact") throw new Error("expected an artifact");
    paths.push(record.path);
    seen.push(readFileSync(record.path));
    return undefined;
  };
  await rig.log("text", ["notes/long.txt", "-"], {}, "x".repeat(2_000_000));
  await rig.log("text", ["raw.bin", "-"], {}, Buffer.from([0xff, 0x00]));
  expect(seen.map(({ length }) => length)).toEqual([2_000_000, 2]);
  expect(rig.socket.handler.records).toMatchObject([{ artifactPath: "notes" }, { type: "artifact" }]);
  expect(paths.map((path) => path.split("/").at(-1))).toEqual(["long.txt", "raw.bin"]);
  expect(paths.some((path) => existsSync(path))).toBe(false);
});

test("batch: good lines are kept, bad ones counted, the first is told", async () => {
  await using rig = await startRig();
  const lines = [
    '{"metrics":{"a":1},"id":"mine"}',
    "",
    "rubbish",
    '{"params":{"lr":1.0}}',
    '{"metrics":{"a":true}}',
    '{"artifact":"x"}',
    '{"metrics":{"a":2},"timestamp":7}',
    '{"metrics":{"a":3}}x',
    '{"metrics":{"last":1}}',
  ];
  const error = await rig.log("batch", [], {}, lines.join("\n")).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    exitCode: 1,
    message: expect.stringMatching(
      /^3 of 8 lines were refused; the first, line 3: the line is no JSON object/u,
    ) as string,
  });
  expect(rig.socket.handler.records).toEqual([
    { type: "batch", metrics: [["a", 1]], timestamp: now },
    { type: "batch", params: [["lr", "1.0"]] },
    { type: "artifact", path: "x", cwd: rig.socket.folder },
    { type: "batch", metrics: [["a", 2]], timestamp: 7 },
    { type: "batch", metrics: [["last", 1]], timestamp: now },
  ]);
});

test("batch from a file; one that is not there is exit code 1", async () => {
  await using rig = await startRig();
  writeFileSync(join(rig.socket.folder, "points"), '{"metrics":{"a":1}}\n'.repeat(3000));
  await rig.log("batch", ["points"]);
  expect(rig.socket.handler.records).toHaveLength(3000);
  await expect(rig.log("batch", ["missing"])).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringContaining("cannot read missing") as string,
  });
});

test("a dead socket: what a file can carry is appended to TRACK_LOG, with its time", async () => {
  await using rig = await startRig();
  rig.env["TRACK_SOCKET"] = join(rig.socket.folder, "gone");
  appendFileSync(rig.logFile, "earlier=1\n");
  await rig.log("metric", ["loss=1"]);
  await rig.log("param", ["lr=0.1"]);
  await rig.log("tag", ["a=b"]);
  await rig.log("batch", [], {}, '{"metrics":{"b":1}}\n{"metrics":{"b":2}}\n');
  expect(readFileSync(rig.logFile, "utf8").split("\n")).toEqual([
    "earlier=1",
    `{"metrics":{"loss":1},"timestamp":${now}}`,
    '{"params":{"lr":"0.1"}}',
    '{"tags":{"a":"b"}}',
    `{"metrics":{"b":1},"timestamp":${now}}`,
    `{"metrics":{"b":2},"timestamp":${now}}`,
    "",
  ]);
  const error = await rig.log("artifact", ["x"]).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ exitCode: 1, hint: expect.stringContaining("--run") as string });
});

test("a dead socket and no append file: exit code 1, and no file is made", async () => {
  await using rig = await startRig();
  Object.assign(rig.env, { TRACK_SOCKET: join(rig.socket.folder, "gone"), TRACK_LOG: join(rig.socket.folder, "none") });
  await expect(rig.log("metric", ["loss=1"])).rejects.toMatchObject({
    exitCode: 1,
    hint: expect.any(String) as string,
  });
  expect(existsSync(rig.env["TRACK_LOG"] ?? "")).toBe(false);
});

test("lines that were sent when the socket died are appended, in order", async () => {
  await using rig = await startRig();
  rig.socket.handler.onRecord = () => {
    rig.socket.server.close();
    return new Promise(() => {});
  };
  const lines = Array.from({ length: 20 }, (_, index) => `{"metrics":{"m":${index}},"timestamp":1}`);
  await rig.log("batch", [], {}, lines.join("\n"));
  expect(readFileSync(rig.logFile, "utf8").trim().split("\n")).toEqual(lines);
});

test("--run writes to the store, the run's own id goes to its socket", async () => {
  await using rig = await startRig();
  await rig.log("metric", ["loss=1"], { run: "ownrun" });
  expect(rig.socket.handler.records).toHaveLength(1);
  await rig.log("metric", ["loss=1"], { run: "abcd", step: 2 });
  await rig.log("param", [`long=${"é".repeat(7000)}`], { run: "abcd" });
  expect(rig.store.batches).toEqual([
    { metrics: [{ key: "loss", value: 1, step: 2, timestamp: now }] },
    { metrics: [], params: [{ key: "long", value: "é".repeat(6000) }], tags: [] },
  ]);
  expect(rig.store.warnings).toEqual([expect.stringContaining("param long")]);
  expect(rig.store.isClosed).toBe(true);
  await expect(rig.log("metric", ["loss=1"], { run: "nope" })).rejects.toThrow("no such run");
  mkdirSync(join(rig.socket.folder, "out"));
  writeFileSync(join(rig.socket.folder, "out/model.bin"), "weights");
  await rig.log("artifact", ["out/model.bin"], { run: "abcd", artifactPath: "checkpoints" });
  await rig.log("text", ["notes/a.txt", "hello"], { run: "abcd" });
  expect(rig.store.artifacts).toEqual([
    ["checkpoints/model.bin", "weights"],
    ["notes/a.txt", "hello"],
  ]);
});

test("--run with batch: metrics are written together, order and refusals kept", async () => {
  await using rig = await startRig();
  const lines = [
    ...Array.from({ length: 1200 }, (_, index) => `{"metrics":{"m":${index}},"step":${index}}`),
    '{"tags":{"a":"1"}}',
    '{"params":{"p":"clash"}}',
    '{"metrics":{"after":1}}',
    '{"tags":{"a":"2"}}',
    "rubbish",
    '{"metrics":{"last":1}}',
  ];
  await expect(rig.log("batch", [], { run: "abcd" }, lines.join("\n"))).rejects.toThrow(
    "2 of 1206 lines were refused; the first, line 1202: param clashes",
  );
  expect(rig.store.batches.map(({ metrics = [], tags = [] }) => [metrics.length, tags[0]?.value])).toEqual([
    [1000, undefined],
    [200, undefined],
    [0, "1"],
    [1, undefined],
    [0, "2"],
    [1, undefined],
  ]);
});
