import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CappedFile } from "../../src/recorder/capped-file.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "capped-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const letters = (count: number): Buffer =>
  Buffer.from(Array.from({ length: count }, (_, index) => "abcdefghijklmnopqrstuvwxyz"[index % 26]).join(""));

test.each([0, 1, 19, 20, 21, 25, 29, 30, 31, 39, 40, 41, 45, 59, 60, 61, 100, 1000])(
  "%i bytes against a limit of 40, in pieces of 7",
  (count) => {
    const path = join(folder, "spool", "log");
    const file = new CappedFile(path, 40);
    const all = letters(count);
    for (let index = 0; index < count; index += 7) file.append(all.subarray(index, index + 7));
    expect(file.finish()).toBe(count > 0);
    if (count === 0) return;
    const kept = readFileSync(path, "utf8");
    if (count <= 40) {
      expect(kept).toBe(all.toString());
    } else {
      const match = /^([\s\S]*?)\n\.\.\. (\d+) bytes left out here by track's --console-limit \.\.\.\n([\s\S]*)$/u.exec(
        kept,
      );
      expect(match?.[1]).toBe(all.toString("utf8", 0, 20));
      expect(match?.[3]).toBe(all.toString("utf8", count - 20));
      expect(Number(match?.[2])).toBe(count - 40);
    }
    expect(existsSync(`${path}.tail`)).toBe(false);
    expect(existsSync(`${path}.tail-old`)).toBe(false);
  },
);
