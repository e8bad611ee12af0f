import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bindLoggingServer, type LoggingServer } from "../../src/client/logging-server.ts";

let root = "";
const open: { close(): void }[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sock-"));
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
  rmSync(root, { recursive: true });
});

function bind(...bases: string[]): LoggingServer {
  const bound = bindLoggingServer(bases);
  if (bound.server === undefined) throw new Error(bound.reasons.join("; "));
  open.push(bound);
  return bound;
}

test("a socket of mode 0600 in a fresh folder of mode 0700, under 100 bytes", () => {
  const { path } = bind(root);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  expect(Buffer.byteLength(path)).toBeLessThan(100);
});

test("a base that is missing, or too long for a socket's path, is passed over", () => {
  const long = join(root, "x".repeat(90));
  mkdirSync(long);
  const { path } = bind(join(root, "missing"), long, root);
  expect(dirname(dirname(path))).toBe(root);
  const none = bindLoggingServer([join(root, "missing"), long]);
  expect(none.server).toBeUndefined();
});

test("a client may connect and speak before anybody listens; nothing of it is read", async () => {
  const server = bind(root);
  const client = connect(server.path);
  client.write("hello");
  await new Promise((settle) => client.once("connect", settle));
  const socket = await new Promise<Socket>((settle) => setImmediate(() => server.handTo(settle)));
  expect(socket.bytesRead).toBe(0);
  const text = await new Promise<string>((settle) => socket.once("data", (chunk) => settle(String(chunk))).resume());
  expect(text).toBe("hello");
  client.destroy();
  socket.destroy();
});

test("closing removes socket and folder", () => {
  const { path, close } = bind(root);
  close();
  expect(existsSync(dirname(path))).toBe(false);
});
