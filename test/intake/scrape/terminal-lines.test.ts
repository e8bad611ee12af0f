import { expect, test } from "vitest";
import { TerminalLines } from "../../../src/intake/scrape/terminal-lines.ts";

function linesOf(...chunks: readonly (string | Buffer)[]): string[] {
  const lines: string[] = [];
  const reader = new TerminalLines((text, isFinal) => lines.push(`${isFinal ? "" : "~"}${text}`));
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  reader.finish();
  return lines;
}

test.each<[string, readonly string[], readonly string[]]>([
  ["plain lines", ["a\nb\n"], ["a", "b"]],
  ["a last line without its newline", ["a\nb"], ["a", "b"]],
  ["lines of a terminal", ["a\r\nb\r\n"], ["a", "b"]],
  ["a carriage return and its newline in two chunks", ["a\r", "\nb"], ["a", "b"]],
  ["what is drawn over", ["1%\r50%\r100%\n"], ["~1%", "~50%", "100%"]],
  ["several carriage returns", ["1%\r\r\n2%\r\r\r3%\n"], ["1%", "~2%", "3%"]],
  ["backspaces", ["10%\b\b\b20%\n"], ["~10%", "20%"]],
  ["backspaces in two chunks", ["10%\b", "\b\b20%\n"], ["~10%", "~10", "20%"]],
  ["more backspaces than characters", ["a\b\b\b\bb\n"], ["~a", "b"]],
  ["colours", ["\u001b[1;31mred\u001b[0m \u001b]0;title\u0007x\n"], ["red x"]],
  ["a colour in two chunks", ["\u001b[1;3", "1mred\u001b", "[0m\n"], ["red"]],
  ["the cursor moved up", ["a\u001b[A\rb\n"], ["~a", "b"]],
  ["a line that is erased", ["a\u001b[2K\u001b[1Gb\n"], ["~a", "b"]],
  ["nothing", ["", "\n"], [""]],
])("%s", (_what, chunks, lines) => {
  expect(linesOf(...chunks)).toEqual(lines);
});

test("characters cut in two", () => {
  const bytes = Buffer.from("é█\n");
  expect(linesOf(...Array.from(bytes, (byte) => Buffer.from([byte])))).toEqual(["é█"]);
});

test("a line without end is left out, and the next one is not", () => {
  expect(linesOf("x".repeat(60_000), "y".repeat(60_000), "z\nloss: 1\n")).toEqual(["loss: 1"]);
  expect(linesOf(`${"x".repeat(100_000)}\rloss: 1\n`)).toEqual(["loss: 1"]);
});

test("bytes that are no text", () => {
  expect(linesOf(Buffer.from([0xff, 0xfe, 0x0a, 0x1b]), "\n")).toHaveLength(2);
});
