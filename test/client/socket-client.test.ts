import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { LogSocketClient, SocketLostError, withField } from "../../src/client/socket-client.ts";
import { SocketRig } from "../intake/intake-rig.ts";

test("each line gets its own reply, sent at once or one by one", async () => {
  await using rig = await SocketRig.start();
  using client = await LogSocketClient.connect(rig.path);
  const replies = await Promise.all([
    client.send({ metrics: { a: 1 } }),
    client.send({ metrics: { a: true } }),
    client.sendText("rubbish"),
    client.send({ get: "run", id: "mine" }),
  ]);
  expect(replies).toEqual([
    { id: 1, ok: true },
    { id: 2, ok: false, error: { code: "INVALID_PARAMETER_VALUE", message: expect.any(String) as string } },
    { id: null, ok: false, error: expect.anything() as object },
    { id: 4, ok: true, run: { info: { run_id: "own" } } },
  ]);
  expect(await client.send({ flush: true })).toEqual({ id: 5, ok: true });
});

test("text goes as it was written, on one line", async () => {
  await using rig = await SocketRig.start();
  using client = await LogSocketClient.connect(rig.path);
  expect(await client.sendText('{\n "params": {"lr": 1.0}\n}\r')).toEqual({ id: 1, ok: true });
  expect(rig.handler.records).toEqual([{ type: "batch", params: [["lr", "1.0"]] }]);
  expect(() => client.sendText(" \n")).toThrow("blank");
});

test("nobody there: SocketLostError", async () => {
  await expect(LogSocketClient.connect("/nonexistent/socket")).rejects.toThrow(SocketLostError);
});

test("a server that dies, or says nothing: what is awaited is rejected, and all that follows", async () => {
  await using rig = await SocketRig.start();
  const path = join(rig.folder, "silent");
  const sockets: Socket[] = [];
  const listener = createServer((socket) => sockets.push(socket)).listen(path);
  await once(listener, "listening");
  using slow = await LogSocketClient.connect(path, { timeoutMs: 50 });
  await expect(slow.send({ flush: true })).rejects.toThrow("no reply in time");
  using client = await LogSocketClient.connect(path);
  const reply = client.send({ flush: true });
  while (sockets.length < 2) await once(listener, "connection");
  for (const socket of sockets) socket.destroy();
  await expect(reply).rejects.toThrow(SocketLostError);
  await expect(client.send({ flush: true })).rejects.toThrow(SocketLostError);
  listener.close();
});

test("withField adds a field that wins over an earlier one", () => {
  expect(withField("{}", "id", 1)).toBe('{"id":1}');
  expect(withField('{ "a": 1.0 } ', "id", "x")).toBe('{ "a": 1.0 ,"id":"x"} ');
  expect(JSON.parse(withField('{"id":5}', "id", 1))).toEqual({ id: 1 });
  expect(withField("no object", "id", 1)).toBe("no object");
});
