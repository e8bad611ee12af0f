import { expect, test } from "vitest";
import { showTransfer } from "../../src/cli/transfer-progress.ts";
import type { Io } from "../../src/cli/io.ts";

const megabyte = 1024 * 1024;
function show(totalBytes: number, isErrTerminal = true) {
  let text = "";
  let time = 0;
  const io = { isErrTerminal, err: (more: string) => (text += more) } as unknown as Io;
  const progress = showTransfer(io, { label: "model.bin", totalBytes, now: () => (time += 1000) });
  return { progress, text: () => text };
}

test("a large transfer shows how far it is, and leaves nothing behind", () => {
  const { progress, text } = show(100 * megabyte);
  progress.add(50 * megabyte);
  expect(text()).toMatch(/^\rtrack: model\.bin \[#{12}\.{12}\] 50 % of \d/u);
  progress.add(-50 * megabyte);
  expect(text()).toContain("[........................] 0 %");
  progress.add(100 * megabyte);
  expect(text()).toContain("100 %");
  progress[Symbol.dispose]();
  expect(text()).toMatch(/\r +\r$/u);
});

test("a small one, and one that nobody watches, says nothing", () => {
  for (const { progress, text } of [show(megabyte), show(100 * megabyte, false)]) {
    progress.add(megabyte);
    progress[Symbol.dispose]();
    expect(text()).toBe("");
  }
});
