import { expect, test } from "vitest";
import { readLog, scrapeText } from "./scrape-rig.ts";

const linesOf = (name: string): readonly string[] =>
  readLog(`lines/${name}`)
    .toString()
    .split("\n")
    .filter((line) => line !== "");

const nothing = linesOf("nothing.txt");

test.each(nothing)("no metric: %s", async (line) => {
  expect(await scrapeText(`${line}\n`)).toEqual([]);
});

test("none of them all together, nor within an epoch", async () => {
  const within = nothing.filter((line) => !/\d(?:it\/s|s\/it)|^Epoch|^epoch/u.test(line));
  expect(await scrapeText(`Epoch 3/10\n${within.join("\n")}\n`)).toEqual([]);
  expect(await scrapeText(`${nothing.join("\n")}\n`)).toEqual([]);
  expect(await scrapeText(`${nothing.join("\r\n")}\r\n`)).toEqual([]);
});

test.each(linesOf("something.txt"))("metrics: %s", async (row) => {
  const [metrics = "", step = "", ...line] = row.split("\t").reverse();
  expect(await scrapeText(`${line.reverse().join("\t")}\n`)).toEqual([`${step}\t${metrics}`]);
});
