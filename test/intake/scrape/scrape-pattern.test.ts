import { expect, test } from "vitest";
import { UsageError } from "../../../src/errors.ts";
import { ScrapePattern } from "../../../src/intake/scrape/scrape-pattern.ts";
import { scrapeText } from "./scrape-rig.ts";

test.each<[string, string, readonly string[]]>([
  ["loss={loss} step={step}", "step=1 loss=0.5  step=3\n", ["3\tloss=0.5"]],
  ["loss={loss}", "val_loss=0.1 loss=0.5\n", ["-\tloss=0.5"]],
  [
    "loss={loss}",
    "loss=nan loss=-inf loss=1e-3 loss=.5\n",
    ["-\tloss=NaN", "-\tloss=-Infinity", "-\tloss=0.001", "-\tloss=0.5"],
  ],
  ["[{step}] {val/loss} ({acc}%)", "[7]   0.25 (93.5%)\n", ["7\tval/loss=0.25 acc=93.5"]],
  [String.raw`loss=(?<loss>[\d.]+)`, "x loss=0.5 y loss=0.25\n", ["-\tloss=0.5", "-\tloss=0.25"]],
  [String.raw`^(?P<epoch>\d+),(?P<loss>\S+),(?P<note>\S+)`, "3,0.5,good\n", ["3\tloss=0.5"]],
  [String.raw`(?<key>[\w/]+)=(?<value>\S+)`, "a/b=1 c=2 d=x\n", ["-\ta/b=1", "-\tc=2"]],
  ["loss={loss}", "nothing\nhere\n", []],
  ["epoch {epoch} step {step} loss {loss}", "epoch 2 step 40 loss 0.5\n", ["40\tloss=0.5"]],
])("%s finds in %j", async (pattern, text, found) => {
  expect(await scrapeText(text, pattern)).toEqual(found);
});

test("what is drawn again with the same numbers is said once", async () => {
  expect(await scrapeText("loss=1\rloss=1\rloss=2\rloss=2\nloss=2\n", "loss={loss}")).toEqual([
    "-\tloss=1",
    "-\tloss=2",
    "-\tloss=2",
  ]);
});

test.each([
  ["loss", "it names no metric"],
  ["", "it names no metric"],
  ["step={step}", "no group names a metric"],
  ["(?<key>a)(?<loss>b)", "key needs a group named value"],
  ["(?<loss>[0-9", "missing closing"],
  [String.raw`(?<loss>\d+)\1`, "invalid escape sequence"],
  [String.raw`(?=x)(?<loss>\d+)`, "invalid or unsupported"],
  [String.raw`(?<loss>\d{1,5000})`, "invalid repeat count"],
])("%s is no pattern: %s", (pattern, reason) => {
  expect(() => new ScrapePattern(pattern)).toThrow(UsageError);
  expect(() => new ScrapePattern(pattern)).toThrow(reason);
});

// V8's own engine takes longer than the universe for each of these.
test.each([
  String.raw`(?<loss>(x+x+)+y)`,
  String.raw`(x*)*=(?<loss>\d+)`,
  String.raw`^(?<loss>(a|aa|x)+)$`,
  String.raw`(.*)*(.*)*(.*)*z(?<loss>\d)`,
])("%s cannot hold up the reader", async (pattern) => {
  const began = performance.now();
  await scrapeText(`${"x".repeat(10_000)}!\n`.repeat(20), pattern);
  expect(performance.now() - began).toBeLessThan(3000);
});
