import { describe, expect, test } from "vitest";
import { ReturnFolder } from "../../src/cli/fold-returns.ts";

function fold(...chunks: readonly string[]): string {
  const folder = new ReturnFolder();
  const parts = chunks.map((chunk) => folder.push(Buffer.from(chunk, "latin1")));
  return Buffer.concat([...parts, folder.end()]).toString("latin1");
}

describe("folding carriage returns", () => {
  test.each([
    ["plain lines", "one\ntwo\n", "one\ntwo\n"],
    ["a bar", "go\n 10%\r 50%\r100%\ndone\n", "go\n100%\ndone\n"],
    ["line ends of Windows", "one\r\ntwo\r\n", "one\ntwo\n"],
    ["a bar that ends with returns", "10%\r100%\r\r\nx\n", "100%\nx\n"],
    ["an unfinished line", "a\n10%\r20%", "a\n20%"],
    ["an unfinished line behind a return", "10%\r20%\r", "20%"],
    ["bytes that are no text", "\u00ff\u0000\r\u00fe\n", "\u00fe\n"],
    ["nothing", "", ""],
    ["empty lines", "\n\r\n\n", "\n\n\n"],
  ])("%s, wherever the chunks are cut", (_, text, folded) => {
    expect(fold(text)).toBe(folded);
    for (let cut = 1; cut < text.length; cut += 1) expect(fold(text.slice(0, cut), text.slice(cut))).toBe(folded);
    expect(fold(...text.split(""))).toBe(folded);
  });

  test("a bar without end keeps no more than its last part", () => {
    const folder = new ReturnFolder();
    for (let step = 0; step < 1000; step += 1) expect(folder.push(Buffer.from(`${step}%\r`))).toHaveLength(0);
    expect(folder.end().toString()).toBe("999%");
  });
});
