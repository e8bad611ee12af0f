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

test("the source line that a traceback shows is none", async () => {
  const traceback = 'Traceback (most recent call last):\n  File "train.py", line 3, in <module>\n    loss = 0.5\n';
  expect(await scrapeText(`${traceback}loss = 0.25\n`)).toEqual(["-\tloss=0.25"]);
});

test("lines made to be slow are not", async () => {
  const units = [
    "1%",
    "1% ",
    "-",
    " ",
    "a ",
    "1/1 ",
    "loss ",
    "{'a': 1, ",
    "[1] ",
    "━",
    "1%|",
    " - a: 1",
    "a-",
    "epoch ",
  ];
  const starts = ["", "[1]\t", "Epoch 1: 1%|", "epoch  a  b", "1/1 "];
  const lines = starts.flatMap((start) => units.map((unit) => `${start}${unit.repeat(2900 / unit.length)}!\n`));
  const began = process.cpuUsage();
  await scrapeText(lines.join(""));
  // Some 0.3 s; what backtracks without bounds takes minutes.
  expect(process.cpuUsage(began).user / 1000).toBeLessThan(5000);
});
