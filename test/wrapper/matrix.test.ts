import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const repository = resolve(import.meta.dirname, "../..");

/** How many behaviours each part of the matrix has: signals, exit, stdio, job control, orphans, big output, environment. */
const parts = { S: 22, E: 17, I: 23, J: 11, O: 8, B: 5, V: 10 };
const ids = Object.entries(parts).flatMap(([part, count]) =>
  Array.from({ length: count }, (_, n) => `${part}${n + 1}`),
);

const titled = /["`]((?:[SEIJOBV]\d+, )*[SEIJOBV]\d+)( [^"`\n]+)["`]/gu;

/** Titles that begin with ids of the matrix, by id, as `file: title`. */
function titlesById(): ReadonlyMap<string, readonly string[]> {
  const titles = new Map<string, string[]>();
  for (const file of globSync("test/e2e/**/*.test.ts", { cwd: repository })) {
    const text = readFileSync(join(repository, file), "utf8");
    for (const [, head = "", rest = ""] of text.matchAll(titled)) {
      for (const id of head.split(", ")) titles.set(id, [...(titles.get(id) ?? []), `${file}: ${head}${rest}`]);
    }
  }
  return titles;
}

/** Rows of docs/matrix.md: id, behaviour, result, test. */
const rows = readFileSync(join(repository, "docs/matrix.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const [, id = "", behaviour = "", result = "", name = ""] = line.split(/ ?(?<!\\)\| ?/u);
    return /^[SEIJOBV]\d+$/u.test(id) ? [{ id, behaviour, result, name }] : [];
  });

describe("the matrix of what a wrapper must not change", () => {
  test("has each of its 96 behaviours in the title of a test", () => {
    const titles = titlesById();
    expect(ids).toHaveLength(96);
    expect(ids.filter((id) => !titles.has(id))).toEqual([]);
  });

  test("is told in docs/matrix.md, each behaviour with a test that is there", () => {
    const titles = titlesById();
    expect(rows.map(({ id }) => id)).toEqual(ids);
    for (const { id, result, name } of rows) {
      expect(result).toMatch(/^(?:pass|limit)$/u);
      expect(titles.get(id)).toContain(name.replaceAll("\\|", "|").replaceAll("`", ""));
    }
  });
});
