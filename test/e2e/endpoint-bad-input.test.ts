import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeAll, describe, expect, test } from "vitest";
import type { Run } from "../../src/entities/run.ts";
import { OpenRun } from "./open-run.ts";
import { metricsOf, paramsOf, tagsOf, TrackRig } from "./rig.ts";

interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

interface Answer {
  readonly status: number;
  readonly code: unknown;
  readonly text: string;
}

const api = "/api/2.0/mlflow/";
const proxy = "/api/2.0/mlflow-artifacts/artifacts/";
const absentId = "0123456789abcdef0123456789abcdef";
const json = { "Content-Type": "application/json" };

let rig: TrackRig;
let open: OpenRun;
let before: readonly string[];

// One run for all: whatever came before, it goes on.
beforeAll(async () => {
  rig = TrackRig.setup();
  open = await OpenRun.start(rig);
  expect(await send(metric(open.runId, 1))).toMatchObject({ status: 200 });
  before = journaled();
  expect(before).toHaveLength(1);
  return () => rig[Symbol.asyncDispose]();
});

describe("a request that is refused", () => {
  test.each<[what: string, headers: Record<string, string>]>([
    ["no token", { Authorization: "" }],
    ["a wrong token", { Authorization: `Bearer ${"0".repeat(32)}` }],
    ["half of a token", { Authorization: "Bearer 0" }],
    ["a wrong password", { Authorization: `Basic ${Buffer.from("rigger:secret").toString("base64")}` }],
    ["what is no credential", { Authorization: "Negotiate \u00fc" }],
  ])("with %s: 401", async (_what, headers) => {
    await expectRefusal({ ...metric(open.runId, 2), headers: { ...json, ...headers } }, 401, "UNAUTHENTICATED");
    await expectRefusal({ method: "PUT", path: `${proxy}${open.runId}/artifacts/a`, body: "x", headers }, 401);
  });

  test.each<[what: string, headers: Record<string, string>]>([
    ["another name of this machine", { Host: "evil.example" }],
    ["no name of it", { Host: "" }],
    ["a page of somebody else's in a browser", { Origin: "https://evil.example" }],
  ])("from %s: 403", async (_what, headers) => {
    await expectRefusal({ ...metric(open.runId, 2), headers: { ...json, ...headers } }, 403, "PERMISSION_DENIED");
  });

  test("with more than 64 MiB: 413", async () => {
    const body = Buffer.alloc(64 * 1024 * 1024 + 1, " ");
    await expectRefusal({ ...metric(open.runId, 2), body }, 413, "BAD_REQUEST");
  });

  test.each<[what: string, body: string, contentType: string]>([
    ["half an object", '{"run_id":', "application/json"],
    ["a list", "[]", "application/json"],
    ["bytes", "\u0000\u0001", "application/json"],
    ["a bare NaN", '{"run_id":"x","key":"k","value":NaN}', "application/json"],
    ["a form", "run_id=x&key=k&value=1", "application/x-www-form-urlencoded"],
    ["JSON under another name", '{"key":"k","value":1}', "text/plain"],
  ])("with %s for a body: 400", async (_what, body, contentType) => {
    const headers = { "Content-Type": contentType };
    await expectRefusal({ ...metric(open.runId, 2), body, headers }, 400, "INVALID_PARAMETER_VALUE");
  });

  test.each<[what: string, path: string, message: object]>([
    ["a number beyond all", "runs/log-metric", { key: "x", value: "1e999", timestamp: 1 }],
    ["a word for a number", "runs/log-metric", { key: "x", value: "much", timestamp: 1 }],
    ["a name that leads away", "runs/log-metric", { key: "../x", value: 1, timestamp: 1 }],
    ["no name", "runs/log-parameter", { value: "1" }],
    ["a list for a text", "runs/set-tag", { key: ["a"], value: "1" }],
    [
      "a batch with one bad key",
      "runs/log-batch",
      {
        params: [
          { key: "good", value: "1" },
          { key: "", value: "1" },
        ],
      },
    ],
    ["a dataset without a digest", "runs/log-inputs", { datasets: [{ dataset: { name: "d" } }] }],
  ])("for %s: 400", async (_what, path, message) => {
    const body = JSON.stringify({ run_id: open.runId, ...message });
    await expectRefusal({ method: "POST", path: api + path, body }, 400, "INVALID_PARAMETER_VALUE");
  });

  test.each([
    ["runs/log-metric", { key: "x", value: 1, timestamp: 1 }],
    ["runs/log-parameter", { key: "x", value: "1" }],
    ["runs/set-tag", { key: "x", value: "1" }],
    ["runs/log-batch", { params: [{ key: "x", value: "1" }] }],
    ["runs/update", { status: "FAILED" }],
    ["runs/delete", {}],
    ["runs/outputs", { models: [{ model_id: "m-1", step: 1 }] }],
  ])("for a run that nobody knows, by %s: 404", async (path, message) => {
    const body = JSON.stringify({ run_id: absentId, ...message });
    await expectRefusal({ method: "POST", path: api + path, body }, 404, "RESOURCE_DOES_NOT_EXIST");
  });

  test("for an artifact of a run that nobody knows: 404", async () => {
    const sent = { method: "PUT", path: `${proxy}${absentId}/artifacts/a.txt`, body: "x" };
    await expectRefusal(sent, 404, "RESOURCE_DOES_NOT_EXIST");
  });

  test.each([
    "../up.txt",
    "a/../../../../up.txt",
    "%2e%2e/up.txt",
    "%252e%252e/up.txt",
    "..%2fup.txt",
    "/etc/up.txt",
    "%2fetc/up.txt",
    "a%00b",
    "a%5c..%5cb",
  ])("for an artifact named %s, whatever is asked about it: 400", async (name) => {
    writeFileSync(join(rig.cwd, "up.txt"), "secret");
    for (const method of ["PUT", "GET", "DELETE"]) {
      const body = method === "PUT" ? { body: "written" } : {};
      await expectRefusal({ method, path: `${proxy}${open.runId}/artifacts/${name}`, ...body }, 400);
    }
    const query = `run_id=${open.runId}&path=${name}`;
    await expectRefusal({ path: `${api}artifacts/list?${query}` }, 400, "INVALID_PARAMETER_VALUE");
    await expectRefusal({ path: `/get-artifact?${query}` }, 400, "INVALID_PARAMETER_VALUE");
    expect(readFileSync(join(rig.cwd, "up.txt"), "utf8")).toBe("secret");
  });

  test.each(["file:///etc", "/etc", "file://elsewhere/etc", "file:///a%2fb", "../..", "models:/m-1"])(
    "for a model version made of %s: 400",
    async (source) => {
      const path = `${api}model-versions/create`;
      const body = JSON.stringify({ name: "taken", source, run_id: open.runId });
      await expectRefusal({ method: "POST", path, body }, 400, "INVALID_PARAMETER_VALUE");
    },
  );

  test("for what is no HTTP, or a path without end: closed with an answer", async () => {
    expect(await textOf(speak("hello\r\n\r\n"))).toContain("BAD_REQUEST");
    expect(await textOf(speak(`GET /${"a".repeat(100_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`))).toContain("431");
    expect(journaled()).toEqual(before);
  });
});

test("clients that hang or go away hold nobody up, not even the end", { timeout: 60_000 }, async () => {
  const head = `Host: 127.0.0.1\r\nAuthorization: Bearer ${open.env["MLFLOW_TRACKING_TOKEN"]}\r\nContent-Length: 100\r\n`;
  const begun = [
    "POST /api/2.0/mlflow/runs/log-metric HTTP/1.1\r\n",
    `POST ${api}runs/log-metric HTTP/1.1\r\n${head}Content-Type: application/json\r\n\r\n{"run_id":`,
    `PUT ${proxy}${open.runId}/artifacts/half.bin HTTP/1.1\r\n${head}\r\nhalf`,
  ];
  const hanging = begun.map((said) => speak(said));
  for (const socket of begun.map((said) => speak(said))) socket.once("connect", () => socket.destroy());
  expect(await send(metric(open.runId, 3))).toMatchObject({ status: 200 });
  const began = performance.now();
  const finished = await open.end();
  expect(performance.now() - began).toBeLessThan(20_000);
  for (const socket of hanging) socket.destroy();
  expect(finished.code).toBe(0);
  expect(finished.stderr).not.toContain("an MLflow request failed");
  const run = await rig.run();
  expect(run.info.status).toBe("FINISHED");
  expect([metricsOf(run), paramsOf(run)]).toEqual([{ loss: 3 }, {}]);
  expect(tagsOf(run)).not.toHaveProperty("x");
  expect(filesOf(run).filter((name) => /half|up\.txt|etc|written/u.test(name))).toEqual([]);
  await using store = await rig.openStore();
  expect((await store.searchExperiments({ viewType: "ALL" })).items).toHaveLength(1);
});

async function expectRefusal(sent: Sent, status: number, code?: string): Promise<void> {
  const answer = await send(sent);
  expect(answer, answer.text).toMatchObject({ status, ...(code !== undefined && { code }) });
  expect(answer.code, answer.text).toMatch(/^[A-Z_]+$/u);
  expect(journaled()).toEqual(before);
}

const metric = (runId: string, value: number): Sent => ({
  method: "POST",
  path: `${api}runs/log-metric`,
  body: JSON.stringify({ run_id: runId, key: "loss", value, timestamp: value, step: value }),
});

/** Node's fetch would mend paths and host names. */
function send({ method = "GET", path, headers = {}, body }: Sent): Promise<Answer> {
  const { hostname: host, port } = new URL(open.env["MLFLOW_TRACKING_URI"] ?? "");
  const own = { Authorization: `Bearer ${open.env["MLFLOW_TRACKING_TOKEN"]}`, ...json, ...headers };
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== ""));
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host,
      port,
      path,
      method,
      headers: given,
      ...("Host" in headers && { setHost: false }),
    });
    request.on("error", reject);
    request.on("response", (response) => {
      text(response).then((said) => {
        resolve({ status: response.statusCode ?? 0, code: errorCodeOf(said), text: said });
      }, reject);
    });
    request.end(body);
  });
}

function errorCodeOf(said: string): unknown {
  try {
    return (JSON.parse(said) as { error_code?: unknown }).error_code;
  } catch {
    return undefined;
  }
}

function speak(said: string): Socket {
  const socket = connect(Number(new URL(open.env["MLFLOW_TRACKING_URI"] ?? "").port), "127.0.0.1");
  socket.on("error", () => {});
  socket.write(said);
  return socket;
}

const textOf = (socket: Socket): Promise<string> => text(socket);

/** What the clients said, in the journal; the wrapper's own samples left out. */
function journaled(): readonly string[] {
  const [name = ""] = rig.journalNames();
  const folder = join(rig.journals, name);
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /(?:segment|spool|\.ndjson)/u.test(file))
    .flatMap((file) => linesOf(join(folder, file)));
}

function linesOf(path: string): readonly string[] {
  try {
    const lines = readFileSync(path, "utf8").split("\n");
    return lines.filter((line) => /"(?:loss|x|good|half|taken)"/u.test(line));
  } catch {
    return [];
  }
}

function filesOf({ info }: Run): readonly string[] {
  return readdirSync(info.artifactUri, { recursive: true, encoding: "utf8" });
}
