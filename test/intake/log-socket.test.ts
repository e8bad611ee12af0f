import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { invalidParameter, StoreError } from "../../src/errors.ts";
import { LogSocketServer } from "../../src/intake/log-socket.ts";
import { program, Recorder, SocketRig, until } from "./intake-rig.ts";

const point = (value: number): object => ({ metrics: { m: value } });
const refusal = (id: unknown, code = "INVALID_PARAMETER_VALUE") => ({
  id,
  ok: false,
  error: { code, message: expect.any(String) as string },
});

test("a line with an id gets exactly one reply, in order; one without gets none", async () => {
  await using rig = await SocketRig.start();
  const client = await rig.connect();
  client.say(
    { ...point(1), id: 1 },
    point(2),
    { ...point(3), id: "three" },
    { metrics: { m: true }, id: 4 },
    { flush: true, id: 5 },
  );
  const replies = await client.replies(4);
  expect(replies).toEqual([{ id: 1, ok: true }, { id: "three", ok: true }, refusal(4), { id: 5, ok: true }]);
  expect(rig.handler.metrics).toEqual([
    ["m", 1],
    ["m", 2],
    ["m", 3],
  ]);
  expect(rig.handler.bad).toEqual([]);
});

test("a bad line without id is reported, one that is no object is answered with the id null as well", async () => {
  await using rig = await SocketRig.start();
  const client = await rig.connect();
  client.say({ metrics: { m: null } }, { what: 1 }, { "": 1 }, "NaN", "rubbish", point(1), { flush: true, id: 1 });
  expect(await client.replies(3)).toEqual([refusal(null), refusal(null), { id: 1, ok: true }]);
  expect(rig.handler.bad.map(([kind]) => kind)).toEqual([
    "bad-value",
    "unknown-field",
    "unknown-field",
    "no-object",
    "no-object",
  ]);
  expect(rig.handler.metrics).toEqual([["m", 1]]);
});

test("blank lines and CRLF are no lines of their own", async () => {
  await using rig = await SocketRig.start();
  const client = await rig.connect();
  client.socket.write('\n\r\n{"metrics":{"m":1},"id":1}\r\n\n');
  expect(await client.replies(1)).toEqual([{ id: 1, ok: true }]);
  expect(rig.handler.bad).toEqual([]);
});

test("a line over 1 MiB is skipped and answered with the id null, without id too", async () => {
  await using rig = await SocketRig.start();
  const client = await rig.connect();
  client.say({ tags: { a: "x".repeat(1024 * 1024) } }, { ...point(1), id: 1 });
  expect(await client.replies(2)).toEqual([refusal(null), { id: 1, ok: true }]);
  expect(rig.handler.bad.map(([kind]) => kind)).toEqual(["too-long"]);
});

test("get answers the run, of the family too", async () => {
  await using rig = await SocketRig.start();
  rig.handler.onGet = (runId) => {
    if (runId === "unknown") throw new StoreError("RESOURCE_DOES_NOT_EXIST", "no such run");
    return Promise.resolve({ info: { run_id: runId ?? "own" } });
  };
  const client = await rig.connect();
  client.say({ get: "run", id: 8 }, { get: "run", run_id: "r", id: 9 }, { get: "run", run_id: "unknown", id: 10 });
  expect(await client.replies(3)).toEqual([
    { id: 8, ok: true, run: { info: { run_id: "own" } } },
    { id: 9, ok: true, run: { info: { run_id: "r" } } },
    refusal(10, "RESOURCE_DOES_NOT_EXIST"),
  ]);
});

test("a refusal of the handler is the reply, or is reported without id; a fault of ours is INTERNAL_ERROR", async () => {
  await using rig = await SocketRig.start();
  rig.handler.onRecord = () => {
    const { length } = rig.handler.records;
    if (length === 2) throw new TypeError("our mistake");
    if (length === 3) return Promise.reject(invalidParameter("later"));
    throw invalidParameter("Param lr is already logged");
  };
  rig.handler.record = (record) => {
    rig.handler.records.push(record);
    return rig.handler.onRecord(record);
  };
  const client = await rig.connect();
  client.say(point(1), { ...point(2), id: 2 }, { ...point(3), id: 3 }, { ...point(4), id: 4 });
  expect(await client.replies(3)).toEqual([refusal(2, "INTERNAL_ERROR"), refusal(3), refusal(4)]);
  expect(rig.handler.bad).toEqual([
    ["refused", "Param lr is already logged"],
    ["fault", "our mistake"],
  ]);
});

test("an artifact is replied to once it is taken; what follows is taken meanwhile, replies stay in order", async () => {
  await using rig = await SocketRig.start();
  const copy = Promise.withResolvers<void>();
  rig.handler.onRecord = (record) => (record.type === "artifact" ? copy.promise : undefined);
  const client = await rig.connect();
  client.say({ artifact: "a", id: 1 }, { ...point(1), id: 2 }, { flush: true, id: 3 });
  await until(() => rig.handler.records.length === 2);
  expect(client.lines).toEqual([]);
  expect(rig.handler.journal).not.toContain("flush journal");
  copy.resolve();
  expect(await client.replies(3)).toEqual([
    { id: 1, ok: true },
    { id: 2, ok: true },
    { id: 3, ok: true },
  ]);
});

test("artifacts and texts of one connection are taken one after the other, other connections go on", async () => {
  await using rig = await SocketRig.start();
  const copies = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  rig.handler.onRecord = (record) => (record.type === "artifact" ? copies[Number(record.path)]?.promise : undefined);
  const client = await rig.connect();
  client.say({ artifact: "0", id: 1 }, { artifact: "1", id: 2 }, { text: "x", artifact_file: "f", id: 3 });
  const other = await rig.connect();
  await until(() => rig.handler.records.length === 1);
  other.say({ ...point(1), id: 1 });
  expect(await other.replies(1)).toEqual([{ id: 1, ok: true }]);
  expect(rig.handler.journal.filter((word) => word === "artifact")).toHaveLength(1);
  copies[0]?.resolve();
  await client.replies(1);
  await until(() => rig.handler.records.length === 3);
  expect(rig.handler.journal).not.toContain("text");
  copies[1]?.resolve();
  await client.replies(3);
  expect(rig.handler.records.map(({ type }) => type)).toEqual(["artifact", "batch", "artifact", "text"]);
});

test("a slow flush holds up nothing but its own and later replies", async () => {
  await using rig = await SocketRig.start();
  const store = Promise.withResolvers<void>();
  rig.handler.onFlush = (level) => (level === "store" ? store.promise : Promise.resolve());
  const client = await rig.connect();
  client.say({ flush: "store", id: 1 }, { ...point(1), id: 2 }, { flush: true, id: 3 });
  await until(() => rig.handler.journal.includes("flush journal"));
  const other = await rig.connect();
  other.say({ ...point(2), id: 1 });
  await other.replies(1);
  expect(client.lines).toEqual([]);
  store.resolve();
  expect(await client.replies(3)).toEqual([
    { id: 1, ok: true },
    { id: 2, ok: true },
    { id: 3, ok: true },
  ]);
});

test("a flush that fails says so", async () => {
  await using rig = await SocketRig.start();
  rig.handler.onFlush = () => Promise.reject(new StoreError("TEMPORARILY_UNAVAILABLE", "no space left"));
  const client = await rig.connect();
  client.say({ flush: true, id: 1 });
  expect(await client.replies(1)).toEqual([refusal(1, "TEMPORARILY_UNAVAILABLE")]);
});

test("the handler hears the end of each chunk before its replies are sent", async () => {
  await using rig = await SocketRig.start();
  const client = await rig.connect();
  client.socket.write(`${JSON.stringify(point(1))}\n${JSON.stringify({ ...point(2), id: 1 })}\n`);
  await client.replies(1);
  expect(rig.handler.journal).toEqual(["batch", "batch", "end"]);
});

test("while paused no connection is read from, new ones included", async () => {
  await using rig = await SocketRig.start();
  const client = await rig.connect();
  client.say({ ...point(1), id: 1 });
  await client.replies(1);
  rig.server.pause();
  const late = await rig.connect();
  let written = 0;
  const line = `${JSON.stringify(point(2))}\n`.repeat(1000);
  while (written < 4_000_000 && client.socket.writableLength < 1_000_000) {
    client.socket.write(line);
    written += line.length;
  }
  late.say({ ...point(3), id: 3 });
  await until(() => rig.server.connectionCount === 2);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(rig.handler.records).toHaveLength(1);
  expect(client.socket.writableLength).toBeGreaterThan(0);
  rig.server.resume();
  client.say({ ...point(4), id: 4 });
  expect(await client.replies(2)).toHaveLength(2);
  await late.replies(1);
  expect(rig.handler.records).toHaveLength(3 + (written / line.length) * 1000);
});

test("a client that does not read its replies is not read from, then closed; what it said before stays", async () => {
  await using rig = await SocketRig.start({ stallMs: 200 });
  const client = await rig.connect();
  client.socket.pause();
  const lines = `${JSON.stringify({ ...point(1), id: "x".repeat(100) })}\n`.repeat(40_000);
  client.socket.write(lines);
  const other = await rig.connect();
  await until(() => rig.handler.records.length > 5000);
  other.say({ ...point(2), id: 1 });
  await other.replies(1);
  const taken = rig.handler.records.length;
  expect(taken).toBeLessThan(30_000);
  await until(() => rig.server.connectionCount === 1);
  expect(rig.handler.records.length).toBeGreaterThan(taken);
  expect(rig.handler.bad.filter(([kind]) => kind !== "half-line")).toEqual([]);
});

test("a slow reader that makes progress is kept", async () => {
  await using rig = await SocketRig.start({ stallMs: 300 });
  const client = await rig.connect();
  client.socket.pause();
  client.socket.write(`${JSON.stringify({ ...point(1), id: "x".repeat(200) })}\n`.repeat(20_000));
  const reading = setInterval(() => client.socket.read(400_000), 50);
  await until(() => client.lines.length === 20_000 || client.isClosed);
  clearInterval(reading);
  expect(client.lines).toHaveLength(20_000);
  expect(client.isClosed).toBe(false);
});

test.each([
  ["while it is read from", 30_000, false],
  ["before it is read from", 2500, true],
])("all that a client said counts, though it hangs up without reading a reply: %s", async (_when, count, isPaused) => {
  await using rig = await SocketRig.start();
  if (isPaused) rig.server.pause();
  const line = '{"metrics":{"m":1},"id":1,"step":1234,"timestamp":1790000000000}';
  const script = `
import os, socket
connection = socket.socket(socket.AF_UNIX)
connection.connect(os.environ["TRACK_SOCKET"])
connection.sendall(b'${line}\\n' * ${count})
`;
  await rig.run("python3", "-c", script);
  rig.server.resume();
  await until(() => rig.handler.records.length === count);
  await until(() => rig.server.connectionCount === 0);
  expect(rig.handler.bad).toEqual([]);
});

test("a client that dies half-way through a line loses that line only", async () => {
  await using rig = await SocketRig.start();
  await expect(rig.run("python3", program("log-rubbish.py"), "hang-up")).rejects.toThrow("ended with null");
  await until(() => rig.server.connectionCount === 0);
  expect(rig.handler.metrics).toEqual([["before", 1]]);
  expect(rig.handler.bad).toEqual([["half-line", expect.any(String)]]);
});

test("a last line without newline counts when it is whole, and is answered on the half-closed connection", async () => {
  await using rig = await SocketRig.start();
  const flushed = Promise.withResolvers<void>();
  rig.handler.onFlush = () => flushed.promise;
  const client = await rig.connect();
  client.socket.end(`${JSON.stringify({ flush: true, id: 1 })}\n${JSON.stringify({ ...point(1), id: 2 })}`);
  await until(() => rig.handler.records.length === 1);
  flushed.resolve();
  expect(await client.replies(2)).toEqual([
    { id: 1, ok: true },
    { id: 2, ok: true },
  ]);
  await until(() => client.isClosed);
});

test("drain takes in what is queued, backlog of the listener included, then closes", async () => {
  await using rig = await SocketRig.start();
  rig.server.pause();
  const clients = [await rig.connect(), await rig.connect()];
  for (const client of clients) client.socket.end(`${JSON.stringify(point(1))}\n`.repeat(500));
  await rig.server.drain();
  expect(rig.handler.records).toHaveLength(1000);
  expect(rig.listener.listening).toBe(false);
  await until(() => clients.every(({ isClosed }) => isClosed));
});

test("drain waits for copies and for replies to be sent", async () => {
  await using rig = await SocketRig.start();
  const copy = Promise.withResolvers<void>();
  rig.handler.onRecord = (record) => (record.type === "artifact" ? copy.promise : undefined);
  const client = await rig.connect();
  client.say({ artifact: "a", id: 1 });
  await until(() => rig.handler.records.length === 1);
  const draining = rig.server.drain(5);
  setTimeout(() => copy.resolve(), 100);
  await draining;
  expect(await client.replies(1)).toEqual([{ id: 1, ok: true }]);
});

test("drain waits only so long for a client that never stops", async () => {
  await using rig = await SocketRig.start();
  const client = await rig.connect();
  const flood = setInterval(() => client.say(point(1)), 5);
  await rig.server.drain(50, 300);
  clearInterval(flood);
  await until(() => rig.server.connectionCount === 0);
  expect(rig.handler.records.length).toBeGreaterThan(10);
});

test("single sockets are served as well, until the server is closed", async () => {
  await using rig = await SocketRig.start();
  const handler = new Recorder();
  using server = new LogSocketServer(handler);
  const path = join(rig.folder, "handed-over");
  const listener = createServer({ pauseOnConnect: true }, (socket) => server.accept(socket)).listen(path);
  await once(listener, "listening");
  const socket = connect(path);
  socket.end(`${JSON.stringify(point(7))}\n`);
  await until(() => handler.records.length === 1);
  server.close();
  const late = connect(path).on("error", () => {});
  await once(late, "close");
  listener.close();
});

test("Python: everything the socket understands", async () => {
  await using rig = await SocketRig.start();
  const stdout = await rig.run("python3", program("log-socket.py"));
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    { id: "setup", ok: true },
    { id: 1, ok: true },
    { id: 2, ok: true },
    { id: 3, ok: true },
    { id: 4, ok: true },
    { id: 5, ok: true },
    { id: 6, ok: true, run: { info: { run_id: "own" } } },
    refusal(7),
  ]);
  expect(rig.handler.records[0]).toEqual({
    type: "batch",
    params: [
      ["lr", "0.01"],
      ["layers", "[64,10]"],
    ],
    tags: [["phase", "warm-up"]],
  });
  expect(rig.handler.metrics).toEqual([
    ["loss", 1],
    ["loss", 0.5],
    ["loss", 1 / 3],
    ["loss", Number.NaN],
  ]);
  expect(rig.handler.records.at(-2)).toEqual({
    type: "artifact",
    path: "model.bin",
    artifactPath: "checkpoints",
    cwd: rig.folder,
  });
});

test("C and Node", async () => {
  await using rig = await SocketRig.start();
  execFileSync("gcc", ["-Wall", "-Werror", "-o", join(rig.folder, "log-socket"), program("log-socket.c")]);
  expect(await rig.run(join(rig.folder, "log-socket"))).toBe('{"id":"from c","ok":true}\n');
  expect(await rig.run(process.execPath, program("log-socket.ts"))).toBe('{"id":1.50,"ok":true}\n');
  expect(rig.handler.metrics).toEqual([
    ["loss", 1],
    ["loss", 0.5],
    ["loss", 0.333333],
    ["acc", 0.9],
  ]);
});

test("many clients at once: each one's lines in its order", async () => {
  await using rig = await SocketRig.start();
  await rig.run("python3", program("log-flood.py"), "2000", "20");
  expect(rig.handler.records).toHaveLength(40_000);
  for (let number = 0; number < 20; number += 1) {
    const values = rig.handler.metrics.filter(([key]) => key === `m${number}`).map(([, value]) => value);
    expect(values).toEqual(Array.from({ length: 2000 }, (_, index) => index));
  }
});

test("rubbish never closes the connection", async () => {
  await using rig = await SocketRig.start();
  const stdout = await rig.run("python3", program("log-rubbish.py"));
  const replies = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: unknown; ok: boolean });
  expect(replies.map(({ id, ok }) => `${String(id)} ${ok}`)).toEqual([
    ...Array<string>(7).fill("null false"),
    "last true",
  ]);
  expect(rig.handler.metrics).toEqual([["good", 1]]);
});
