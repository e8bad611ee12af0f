import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import type { RestServerOptions } from "../../src/server/rest-server.ts";
import { waitFor } from "../e2e/rig.ts";
import { queryFile } from "../store/sqlite-rig.ts";
import { type Answer, RestRig } from "./rest-rig.ts";

const token = "0123456789abcdef0123456789abcdef";
const credentials = { user: "ada", token };
const proxy = "/api/2.0/mlflow-artifacts/artifacts";
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
const errorCodeOf = ({ body }: Answer) => (body as { error_code?: string } | undefined)?.error_code;

async function createRun(rig: RestRig): Promise<string> {
  const { body } = await rig.post("runs/create", { experiment_id: "0", start_time: 1, run_name: "one" });
  return (body as { run: { info: { run_id: string } } }).run.info.run_id;
}

const countRows = (rig: RestRig, table: string): unknown =>
  queryFile(join(rig.folder, "mlflow.db"), `SELECT count(*) AS count FROM ${table}`)[0]?.["count"];

describe("who may ask", () => {
  test.each([
    ["nobody", undefined, 401],
    ["Basic", basic("ada", token), 200],
    ["Basic of another user", basic("someone else", token), 200],
    ["Basic with a colon in the name's place", basic("", token), 200],
    ["a wrong password", basic("ada", `${token.slice(0, -1)}x`), 401],
    ["no password", basic("ada", ""), 401],
    ["Bearer", `Bearer ${token}`, 200],
    ["bearer in lower case", `bearer ${token}`, 200],
    ["a wrong Bearer", "Bearer x", 401],
    ["the bare token", token, 401],
    ["rubbish", "Basic %%%", 401],
  ])("%s", async (_who, authorization, status) => {
    await using rig = await RestRig.start({ credentials });
    const headers = { "Content-Type": "application/json", ...(authorization && { Authorization: authorization }) };
    const body = JSON.stringify({ name: "asked" });
    const answer = await rig.ask("/api/2.0/mlflow/experiments/create", { method: "POST", headers, body });
    expect(answer.status).toBe(status);
    expect(countRows(rig, "experiments")).toBe(status === 200 ? 2 : 1);
    if (status === 401) expect(errorCodeOf(answer)).toBe("UNAUTHENTICATED");
  });

  test("an empty token opens nothing", async () => {
    await using rig = await RestRig.start({ credentials: { user: "", token: "" } });
    const answer = await rig.ask("/api/2.0/mlflow/experiments/get?experiment_id=0", {
      headers: { Authorization: basic("a", "") },
    });
    expect(answer.status).toBe(401);
  });

  test("health, version and server-info ask for no token", async () => {
    await using rig = await RestRig.start({ credentials });
    expect(await rig.ask("/health")).toMatchObject({ status: 200, text: "OK" });
    expect(await rig.ask("/version")).toMatchObject({ status: 200, text: "3.17.2" });
    expect(await rig.ask("/api/3.0/mlflow/server-info")).toMatchObject({
      status: 200,
      body: { store_type: "SqlStore" },
    });
  });

  test.each([
    ["127.0.0.1:{port}", 200],
    ["localhost:{port}", 200],
    ["127.0.0.1", 200],
    ["[::1]:{port}", 200],
    ["evil.example", 403],
    ["127.0.0.1.evil.example:{port}", 403],
    ["evil.example:{port}", 403],
    ["127.0.0.1:80@evil.example", 403],
  ])("Host %s: %i", async (host, status) => {
    await using rig = await RestRig.start();
    const answer = await askWithHeaders(rig, { Host: host.replace("{port}", String(rig.port)) });
    expect(answer.status).toBe(status);
    if (status === 403) expect(JSON.parse(answer.text)).toMatchObject({ error_code: "PERMISSION_DENIED" });
  });

  test.each([
    ["https://evil.example", 403],
    ["null", 403],
    ["http://localhost:3000", 200],
    ["http://127.0.0.1:3000", 200],
    ["http://127.0.0.1.evil.example", 403],
  ])("a write from the origin %s: %i", async (origin, status) => {
    await using rig = await RestRig.start();
    const headers = { Origin: origin, "Content-Type": "application/json" };
    const answer = await askWithHeaders(rig, headers, {
      path: "/api/2.0/mlflow/experiments/create",
      body: '{"name":"x"}',
    });
    expect(answer.status).toBe(status);
    expect(countRows(rig, "experiments")).toBe(status === 200 ? 2 : 1);
  });
});

describe("bodies", () => {
  test.each([
    ["no JSON", '{"run_id":', 400],
    ["a list", "[]", 400],
    ["a number", "7", 400],
    ["null", "null", 400],
    ["a string that is no JSON", '"x"', 400],
    ["JSON in a string, as old clients send it", JSON.stringify('{"name":"x"}'), 200],
    ["a bare NaN", '{"name":NaN}', 400],
    ["nothing", "", 400],
  ])("%s", async (_what, body, status) => {
    await using rig = await RestRig.start();
    const init = { method: "POST", headers: { "Content-Type": "application/json" }, body };
    const answer = await rig.ask("/api/2.0/mlflow/experiments/create", init);
    expect({ status: answer.status, code: errorCodeOf(answer) }).toEqual({
      status,
      code: status === 200 ? undefined : "INVALID_PARAMETER_VALUE",
    });
    expect(rig.faults).toEqual([]);
  });

  test.each([undefined, "text/plain", "application/x-www-form-urlencoded", "Application/JSON"])(
    "content type %s is refused",
    async (contentType) => {
      await using rig = await RestRig.start();
      const headers: Record<string, string> = contentType === undefined ? {} : { "Content-Type": contentType };
      const init = { method: "POST", headers, body: Buffer.from('{"name":"x"}') };
      const answer = await rig.ask("/api/2.0/mlflow/experiments/create", init);
      expect(answer).toMatchObject({ status: 400, body: { error_code: "INVALID_PARAMETER_VALUE" } });
      expect(countRows(rig, "experiments")).toBe(1);
    },
  );

  test("one that is too large is read to its end, so that the client hears why: 413", async () => {
    await using rig = await RestRig.start({ maxBodyBytes: 1000 });
    const answer = await rig.post("experiments/create", { name: "x", padding: "p".repeat(5_000_000) });
    expect(answer).toMatchObject({ status: 413, body: { error_code: "BAD_REQUEST" } });
    expect(await rig.post("experiments/create", { name: "next" })).toMatchObject({ status: 200 });
    expect(countRows(rig, "experiments")).toBe(2);
  });

  test("a body of 20 MB within the limit", async () => {
    await using rig = await RestRig.start();
    const answer = await rig.post("experiments/create", { name: "x", padding: "p".repeat(20_000_000) });
    expect(answer.status).toBe(200);
  });

  test.each<[string, string, string]>([
    ["before its headers end", "POST /api/2.0/mlflow/experiments/create HTTP/1.1\r\nHost: 127.0.0.1\r\n", ""],
    [
      "in the middle of its body",
      "POST /api/2.0/mlflow/experiments/create HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" +
        'Content-Length: 100\r\n\r\n{"name":"half"',
      "408",
    ],
    [
      "in the middle of an upload",
      `PUT ${proxy}/half.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nhalf`,
      "408",
    ],
  ])("a client that hangs %s is cut, and nothing is written", async (_where, said, status) => {
    await using rig = await RestRig.start({ idleTimeoutMs: 300 });
    const socket = connect(rig.port, "127.0.0.1");
    socket.write(said);
    const answer = await text(socket);
    expect(answer).toContain(status);
    expect(countRows(rig, "experiments")).toBe(1);
    await waitFor(() => filesIn(join(rig.folder, "mlartifacts")).length === 0, { what: "the half upload to go" });
    expect(rig.faults).toEqual([]);
  });

  test("a client that goes away in the middle of a body or an upload leaves nothing", async () => {
    await using rig = await RestRig.start();
    for (const said of [
      `PUT ${proxy}/half.bin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nhalf`,
      'POST /api/2.0/mlflow/experiments/create HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"name"',
    ]) {
      const socket = connect(rig.port, "127.0.0.1");
      await new Promise<void>((resolve) => {
        socket.write(said, () => resolve());
      });
      socket.destroy();
      await once(socket, "close");
    }
    expect(await rig.ask("/health")).toMatchObject({ status: 200 });
    await waitFor(() => filesIn(join(rig.folder, "mlartifacts")).length === 0, { what: "the half upload to go" });
    expect(countRows(rig, "experiments")).toBe(1);
    expect(rig.faults).toEqual([]);
  });

  test("what is no HTTP", async () => {
    await using rig = await RestRig.start();
    const socket = connect(rig.port, "127.0.0.1");
    socket.write("hello\r\n\r\n");
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 [^]*"error_code":"BAD_REQUEST"/u);
  });
});

describe("what is not served", () => {
  test.each([
    ["GET", "/api/2.0/mlflow/traces/x"],
    ["POST", "/api/3.0/mlflow/traces"],
    ["POST", "/v1/traces"],
    ["GET", "/"],
    ["GET", "/api/2.0/mlflow/runs"],
    ["POST", "/api/3.0/mlflow/runs/create"],
    ["GET", "/api/2.0/mlflow/metrics/get-history-bulk"],
  ])("%s %s is MLflow's 404, and the host hears of it", async (method, path) => {
    await using rig = await RestRig.start();
    const answer = await rig.ask(path, { method, ...(method === "POST" && { body: "{}" }) });
    expect(answer).toMatchObject({ status: 404, contentType: "text/html; charset=utf-8" });
    expect(rig.unsupported).toEqual([path]);
  });

  test("another method of a path that is served: 405 with the right ones", async () => {
    await using rig = await RestRig.start();
    const response = await fetch(`${rig.url}/api/2.0/mlflow/runs/create`);
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  });

  test("proxied artifacts without a place for them", async () => {
    await using rig = await RestRig.start();
    const registry = await rig.store.openRegistry();
    const storesFor: RestServerOptions["storesFor"] = () => ({
      tracking: rig.store,
      registry,
      openArtifacts: () => Promise.reject(new Error("unused")),
    });
    await using bare = await RestRig.start({ storesFor });
    expect(await bare.ask(`${proxy}/a.txt`, { method: "PUT", body: "x" })).toMatchObject({ status: 503 });
  });
});

describe("artifacts", () => {
  test.each([
    "../up.txt",
    "a/../../up.txt",
    "%2e%2e/up.txt",
    "%252e%252e/up.txt",
    "%25252e%25252e/up.txt",
    "..%2fup.txt",
    "..%5cup.txt",
    "%2Fetc/up.txt",
    "/etc/up.txt",
    "a//b.txt",
    "./a.txt",
    "a/./b.txt",
    "a%5Cb.txt",
    "a%00b.txt",
    "a%0ab.txt",
    "a%23b.txt",
    "C:/up.txt",
    "",
    "folder/",
    `%${"25".repeat(12)}2e%${"25".repeat(12)}2e/up.txt`,
  ])("a path of %s is refused before anything is touched", async (path) => {
    await using rig = await RestRig.start();
    writeFileSync(join(rig.folder, "up.txt"), "secret");
    for (const method of ["PUT", "GET", "DELETE"]) {
      const answer = await rawRequest(rig, `${method} ${proxy}/${path}`, method === "PUT" ? "written" : "");
      expect([400, 404, 405], `${method}: ${answer}`).toContain(Number(/^HTTP\/1\.1 (\d+)/u.exec(answer)?.[1]));
      expect(answer).not.toContain("secret");
    }
    expect(readFileSync(join(rig.folder, "up.txt"), "utf8")).toBe("secret");
    expect(filesIn(rig.folder).filter((file) => !/^(?:mlflow\.db|up\.txt)/u.test(file))).toEqual([]);
    expect(rig.faults).toEqual([]);
  });

  test.each(["per%cent.txt", "100%.txt", "q?mark.txt", "%FF.bin", "a&b=c;d+e.txt", "...", "..a", "日本語.txt"])(
    "a file named %s, sent as MLflow's client sends it, comes back",
    async (name) => {
      await using rig = await RestRig.start();
      const sent = name.replaceAll(/[^\x20-\x7e]/gu, (mark) => encodeURIComponent(mark));
      expect(await rawRequest(rig, `PUT ${proxy}/odd/${sent}`, "content")).toMatch(/^HTTP\/1\.1 200/u);
      expect(readdirSync(join(rig.folder, "mlartifacts/odd"))).toEqual([name]);
      expect(await rawRequest(rig, `GET ${proxy}/odd/${sent}`)).toMatch(/content$/u);
      expect(await rawRequest(rig, `DELETE ${proxy}/odd/${sent}`)).toMatch(/^HTTP\/1\.1 200/u);
      expect(readdirSync(join(rig.folder, "mlartifacts/odd"))).toEqual([]);
    },
  );

  test("an upload reaches the disk while it is still coming, and has its name only at its end", async () => {
    await using rig = await RestRig.start();
    const request = httpRequest({ host: "127.0.0.1", port: rig.port, path: `${proxy}/slow.bin`, method: "PUT" });
    const half = Buffer.alloc(1024 * 1024, "x");
    request.write(half);
    const folder = join(rig.folder, "mlartifacts");
    await waitFor(() => filesIn(folder).some((file) => statSync(join(folder, file)).size === half.length), {
      what: "the first half on the disk",
    });
    expect(filesIn(folder)).not.toContain("slow.bin");
    request.end(half);
    const [response] = (await once(request, "response")) as [Readable & { statusCode: number }];
    expect([response.statusCode, await text(response)]).toEqual([200, ""]);
    expect(statSync(join(folder, "slow.bin")).size).toBe(2 * half.length);
    expect(filesIn(folder)).toEqual(["slow.bin"]);
  });

  test("a file of 8 GB is sent as far as the client reads, and no further", async () => {
    await using rig = await RestRig.start();
    mkdirSync(join(rig.folder, "mlartifacts"));
    const path = join(rig.folder, "mlartifacts/big.bin");
    writeFileSync(path, "");
    truncateSync(path, 8 * 1024 ** 3);
    const socket = connect(rig.port, "127.0.0.1");
    const before = process.memoryUsage().rss;
    socket.write(`GET ${proxy}/big.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    await once(socket, "readable");
    expect(String(socket.read())).toContain(`Content-Length: ${8 * 1024 ** 3}`);
    // Nothing more is read: the health of the server shows that it had its turns in the meantime.
    for (let turn = 0; turn < 20; turn += 1) expect((await rig.ask("/health")).status).toBe(200);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
    socket.destroy();
    await once(socket, "close");
    expect(rig.faults).toEqual([]);
  });

  test("a client that stops reading is cut, and what it got is the file and nothing else", async () => {
    await using rig = await RestRig.start({ idleTimeoutMs: 300 });
    mkdirSync(join(rig.folder, "mlartifacts"));
    writeFileSync(join(rig.folder, "mlartifacts/big.bin"), Buffer.alloc(64 * 1024 * 1024, "x"));
    const socket = connect(rig.port, "127.0.0.1");
    socket.write(`GET ${proxy}/big.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    await once(socket, "readable");
    await waitFor(() => rig.connections().then((count) => count === 0), { what: "the server to cut the connection" });
    socket.on("error", () => undefined);
    let got = "";
    socket.setEncoding("latin1").on("data", (chunk: string) => (got += chunk));
    await once(socket, "close");
    expect(got.slice(got.indexOf("\r\n\r\n") + 4)).toMatch(/^x+$/u);
    expect(rig.faults).toEqual([]);
  });

  test("a place that cannot be written is said to a client that has sent everything", async () => {
    await using rig = await RestRig.start();
    writeFileSync(join(rig.folder, "mlartifacts"), "a file in the folder's place");
    const answer = await rig.ask(`${proxy}/a.txt`, { method: "PUT", body: "x".repeat(3_000_000) });
    expect(answer).toMatchObject({ status: 400, body: { error_code: "INVALID_PARAMETER_VALUE" } });
  });

  test("a file is there whole or not at all, and replaces one of its name", async () => {
    await using rig = await RestRig.start();
    for (const body of ["first version", "2nd"]) {
      expect(await rig.ask(`${proxy}/a.txt`, { method: "PUT", body })).toMatchObject({ status: 200, text: "" });
    }
    expect(await rig.ask(`${proxy}/a.txt`)).toMatchObject({ status: 200, text: "2nd", contentType: "text/plain" });
    expect(filesIn(join(rig.folder, "mlartifacts"))).toEqual(["a.txt"]);
    const empty = await rig.ask(`${proxy}/empty`, { method: "PUT", body: "" });
    expect([empty.status, (await rig.ask(`${proxy}/empty`)).text]).toEqual([200, ""]);
    mkdirSync(join(rig.folder, "mlartifacts/folder"));
    expect(await rig.ask(`${proxy}/folder`)).toMatchObject({
      status: 400,
      body: { error_code: "INVALID_PARAMETER_VALUE" },
    });
    expect(await rig.ask(`${proxy}/none`)).toMatchObject({
      status: 404,
      body: { error_code: "RESOURCE_DOES_NOT_EXIST" },
    });
    const head = await fetch(`${rig.url}${proxy}/a.txt`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "3", ""]);
  });
});

describe("numbers", () => {
  test.each(["1e400", "-1e400", '"1e400"', "NaN", '"nan"', '"0x10"', "null", '""', "[]", "{}", '"12 apples"'])(
    "a value of %s is refused, never stored as another",
    async (value) => {
      await using rig = await RestRig.start();
      const runId = await createRun(rig);
      for (const [path, body] of [
        ["log-metric", `{"run_id":"${runId}","key":"k","value":${value},"timestamp":1}`],
        ["log-batch", `{"run_id":"${runId}","metrics":[{"key":"k","value":${value},"timestamp":1}]}`],
      ] as const) {
        const init = { method: "POST", headers: { "Content-Type": "application/json" }, body };
        const answer = await rig.ask(`/api/2.0/mlflow/runs/${path}`, init);
        expect(answer).toMatchObject({ status: 400, body: { error_code: "INVALID_PARAMETER_VALUE" } });
      }
      expect(countRows(rig, "metrics")).toBe(0);
    },
  );

  test.each([
    ["timestamp", "1.5"],
    ["timestamp", "1e30"],
    ["timestamp", '"soon"'],
    ["timestamp", "null"],
    ["step", "0.5"],
    ["step", "1e400"],
    ["step", "true"],
  ])("a %s of %s is refused", async (field, value) => {
    await using rig = await RestRig.start();
    const runId = await createRun(rig);
    const rest = field === "timestamp" ? "" : ',"timestamp":1';
    const body = `{"run_id":"${runId}","key":"k","value":1,"${field}":${value}${rest}}`;
    const init = { method: "POST", headers: { "Content-Type": "application/json" }, body };
    expect((await rig.ask("/api/2.0/mlflow/runs/log-metric", init)).status).toBe(400);
    expect(countRows(rig, "metrics")).toBe(0);
  });
});

test("a batch with one mistake writes nothing of it", async () => {
  await using rig = await RestRig.start();
  const runId = await createRun(rig);
  const metrics = [
    { key: "good", value: 1, timestamp: 1 },
    { key: "bad//name", value: 1, timestamp: 1 },
  ];
  const params = [{ key: "p", value: "1" }];
  expect((await rig.post("runs/log-batch", { run_id: runId, metrics, params })).status).toBe(400);
  expect([countRows(rig, "metrics"), countRows(rig, "params")]).toEqual([0, 0]);
});

test("one connection serves many requests, and stays open in between", async () => {
  await using rig = await RestRig.start();
  const runId = await createRun(rig);
  const socket = connect(rig.port, "127.0.0.1");
  let answers = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (answers += chunk));
  const count = 50;
  for (let step = 0; step < count; step += 1) {
    const body = JSON.stringify({ run_id: runId, key: "loss", value: step, timestamp: 1, step });
    socket.write(
      "POST /api/2.0/mlflow/runs/log-metric HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  }
  await waitFor(() => answers.split("HTTP/1.1 200").length === count + 1, { what: `${count} answers` });
  expect(countRows(rig, "metrics")).toBe(count);
  expect(socket.destroyed).toBe(false);
  socket.destroy();
});

test("what nobody expected is INTERNAL_ERROR to the client and told to the host", async () => {
  const fault = new Error("broken store");
  await using rig = await RestRig.start({
    storesFor: () => {
      throw fault;
    },
  });
  expect(await rig.get("runs/get", { run_id: "x" })).toMatchObject({
    status: 500,
    body: { error_code: "INTERNAL_ERROR" },
  });
  expect(rig.faults).toEqual([fault]);
});

test("the host learns the client's port", async () => {
  const ports: number[] = [];
  await using rig = await RestRig.start();
  const registry = await rig.store.openRegistry();
  await using watched = await RestRig.start({
    storesFor: ({ port }) => {
      ports.push(port);
      return { tracking: rig.store, registry, openArtifacts: () => Promise.reject(new Error("unused")) };
    },
  });
  const socket = connect(watched.port, "127.0.0.1");
  await once(socket, "connect");
  const { localPort } = socket;
  socket.write(
    "GET /api/2.0/mlflow/experiments/get?experiment_id=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
  );
  expect(await text(socket)).toContain("Default");
  expect(ports).toEqual([localPort]);
});

interface RawAnswer {
  readonly status: number;
  readonly text: string;
}

/** `fetch` would not send these headers. */
async function askWithHeaders(
  rig: RestRig,
  headers: Record<string, string>,
  { path = "/api/2.0/mlflow/experiments/get?experiment_id=0", body = "" } = {},
): Promise<RawAnswer> {
  const method = body === "" ? "GET" : "POST";
  const request = httpRequest({ host: "127.0.0.1", port: rig.port, path, method, headers });
  request.end(body);
  const [response] = (await once(request, "response")) as [Readable & { statusCode: number }];
  return { status: response.statusCode, text: await text(response) };
}

/** The path goes out as it is written. */
async function rawRequest(rig: RestRig, line: string, body = ""): Promise<string> {
  const socket = connect(rig.port, "127.0.0.1");
  const length = Buffer.byteLength(body);
  socket.write(`${line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n${body}`);
  return text(socket);
}

function filesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
}
