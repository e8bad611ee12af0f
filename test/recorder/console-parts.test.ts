import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { ConsoleParts } from "../../src/recorder/console-parts.ts";
import { waitFor } from "../e2e/rig.ts";

function setup() {
  const log = { bytes: 0, isAway: false, isWaiting: false };
  const sent: number[] = [];
  const parts = new ConsoleParts({
    size: () => log.bytes,
    copy: () => Promise.resolve(String(log.bytes)),
    send: (path) => sent.push(Number(path)),
    isWaiting: () => log.isWaiting,
    isStoreAway: () => log.isAway,
    lookMs: 5,
    firstMs: 20,
  });
  parts.start();
  return { log, sent, parts };
}

test("a console log goes up while it grows, and only then", async () => {
  const { log, sent, parts } = setup();
  await sleep(60);
  expect(sent).toEqual([]);
  log.bytes = 10;
  await waitFor(() => sent.length === 1);
  await sleep(60);
  log.bytes = 20;
  await waitFor(() => sent.length === 2);
  expect(sent).toEqual([10, 20]);
  parts.stop();
  log.bytes = 30;
  await sleep(60);
  expect(sent).toEqual([10, 20]);
});

test("no part is sent while an earlier one waits, while the server is away, or of a log that would hold up the rest", async () => {
  const { log, sent, parts } = setup();
  log.bytes = 10;
  await waitFor(() => sent.length === 1);
  for (const [key, bytes] of [
    ["isWaiting", 20],
    ["isAway", 30],
  ] as const) {
    log[key] = true;
    log.bytes = bytes;
    await sleep(60);
    expect(sent).not.toContain(bytes);
    log[key] = false;
    await waitFor(() => sent.includes(bytes));
  }
  log.bytes = 100 * 1024 * 1024;
  await sleep(60);
  expect(sent).toEqual([10, 20, 30]);
  parts.stop();
});

test("a longer log goes up at longer distances", async () => {
  const { log, sent, parts } = setup();
  // Two seconds' worth.
  log.bytes = 64 * 1024;
  await sleep(300);
  expect(sent).toEqual([]);
  await waitFor(() => sent.length === 1);
  parts.stop();
});
