import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LogSocketClient } from "../../src/client/socket-client.ts";
import { program, runProgram } from "./intake-rig.ts";

test("a server bound by one process, and sockets that it accepted, are served by another", async () => {
  const folder = mkdtempSync(join(tmpdir(), "track-handed-"));
  const path = join(folder, "socket");
  const child = fork(join(import.meta.dirname, "intake-process.ts"), { execArgv: ["--no-warnings"] });
  // Closing our copy would remove the path, so it stays, and what it accepts is handed on.
  const listener = createServer({ pauseOnConnect: true }, (socket) => child.send("connection", socket)).listen(path);
  await once(listener, "listening");
  const served = once(child, "message");
  child.send("server", listener);
  await served;

  using client = await LogSocketClient.connect(path);
  expect(await client.send({ metrics: { a: 1 } })).toEqual({ id: 1, ok: true });
  await runProgram({ TRACK_SOCKET: path }, folder, "python3", program("log-flood.py"), "100", "3");
  client.send({ metrics: { last: 1 } }).catch(() => {});

  const heard = once(child, "message");
  child.send("drain");
  const [{ metrics, bad }] = (await heard) as [{ metrics: [string, number][]; bad: unknown[] }];
  expect(bad).toEqual([]);
  expect(metrics).toHaveLength(302);
  expect(metrics).toContainEqual(["last", 1]);
  listener.close();
  rmSync(folder, { recursive: true });
});
