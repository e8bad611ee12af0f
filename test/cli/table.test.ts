import { describe, expect, test } from "vitest";
import { type Column, writeTable } from "../../src/cli/table.ts";
import { textWidth } from "../../src/util/text-width.ts";
import { TestIo } from "./test-io.ts";

interface Row {
  readonly id: string;
  readonly name: string;
  readonly loss: string;
}

const columns: readonly Column<Row>[] = [
  { title: "ID", cell: (row) => row.id },
  { title: "NAME", cell: (row) => row.name, minWidth: 6, style: (row) => (row.id === "a1" ? "red" : undefined) },
  { title: "loss", cell: (row) => row.loss, isRight: true, dropOrder: 1 },
];
const rows: readonly Row[] = [
  { id: "a1", name: "gifted-otter-77", loss: "0.31" },
  { id: "b2", name: "日本語", loss: "12.5" },
];

function write(io: TestIo, some: readonly Row[] = rows): readonly string[] {
  writeTable(io, columns, some);
  return io.lines;
}

test("a pipe gets a line for each row, tab-separated, no titles, whatever the cells hold", () => {
  expect(write(new TestIo())).toEqual(["a1\tgifted-otter-77\t0.31", "b2\t日本語\t12.5"]);
  expect(write(new TestIo(), [{ id: "c", name: "a\tb\nc\u001b[31m", loss: "" }])).toEqual(["c\ta\\tb\\nc\\x1b[31m\t"]);
});

test("titles and marks that turn the direction of text are harmless, too", () => {
  const io = new TestIo({ columns: 40 });
  writeTable(io, [{ title: "a\u001b[2J", cell: (text: string) => text }], ["x\u202egpj.exe\u2066", "\u009b31m"]);
  expect(io.lines).toEqual(["a\\x1b[2J", "x\\u202egpj.exe\\u2066", "\\x9b31m"]);
});

test("what is cut ends in ASCII where the terminal knows no more", () => {
  const io = new TestIo({ columns: 12, isUtf8: false });
  writeTable(io, columns, rows);
  expect(io.lines[1]).toBe("a1  gifted-~");
});

describe("a terminal", () => {
  test("gets titles and aligned columns", () => {
    expect(write(new TestIo({ columns: 80 }))).toEqual([
      "ID  NAME             loss",
      "a1  gifted-otter-77  0.31",
      "b2  日本語           12.5",
    ]);
  });

  test("gets long cells cut when it is narrow, then columns left out, never a line too wide", () => {
    expect(write(new TestIo({ columns: 20 }))).toEqual([
      "ID  NAME        loss",
      "a1  gifted-ot…  0.31",
      "b2  日本語      12.5",
    ]);
    expect(write(new TestIo({ columns: 12 }))).toEqual(["ID  NAME", "a1  gifted-…", "b2  日本語"]);
    for (let width = 10; width < 40; width += 1) {
      for (const line of write(new TestIo({ columns: width }))) expect(textWidth(line)).toBeLessThanOrEqual(width);
    }
  });

  test("gets colour around the padded cell, so that columns stay aligned", () => {
    expect(write(new TestIo({ columns: 80, hasColour: true }))[1]).toBe("a1  <red>gifted-otter-77</>  0.31");
  });

  test("gets nothing for no rows", () => {
    expect(write(new TestIo({ columns: 80 }), [])).toEqual([]);
  });
});
