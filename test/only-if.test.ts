import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

test("every test that may be skipped says why", () => {
  const names = readdirSync(import.meta.dirname, { recursive: true, encoding: "utf8" });
  const sources = names.filter((name) => name.endsWith(".ts") && !name.startsWith("only-if"));
  expect(sources.length).toBeGreaterThan(200);
  const unexplained = /\b(?:test|describe|it)(?:\.\w+)*\.(?:skip|skipIf|runIf|todo|fails)\b|\bcontext\.skip\(\)/u;
  const found = sources.filter((name) => unexplained.test(readFileSync(join(import.meta.dirname, name), "utf8")));
  expect(found).toEqual([]);
});
