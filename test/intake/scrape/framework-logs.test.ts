import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { logs, readLog, scrapeChunks, show } from "./scrape-rig.ts";

const names = readdirSync(logs).filter((name) => name.endsWith(".log"));

function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

describe.each(names)("%s", (name) => {
  test("gives the metrics of its golden file", async () => {
    const found = (await scrapeChunks([readLog(name)])).map(
      (record) => `${record.line}\t${record.by}\t${show(record)}\n`,
    );
    expect(found.length).toBeGreaterThan(0);
    await expect(found.join("")).toMatchFileSnapshot(join(logs, "expected", name.replace(".log", ".txt")));
  });

  test.each([1, 7, 1000])("gives the same in pieces of %i bytes", async (size) => {
    const bytes = readLog(name);
    expect(await scrapeChunks(cut(bytes, size))).toEqual(await scrapeChunks([bytes]));
  });

  test("gives the same where a terminal added carriage returns", async () => {
    const bytes = Buffer.from(
      readLog(name)
        .toString("latin1")
        .replaceAll(/(?<!\r)\n/gu, "\r\n"),
      "latin1",
    );
    expect(await scrapeChunks([bytes])).toEqual(await scrapeChunks([readLog(name)]));
  });
});
