import { readFileSync } from "node:fs";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openTrackingStore } from "../../../src/store/open-store.ts";
import { type Timing, Tools } from "../../bench/bench-rig.ts";
import { MatrixBench } from "./matrix-bench.ts";

const bench = new MatrixBench();
const tools = Tools.compile();
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  tools[Symbol.dispose]();
});
beforeEach(() => bench.remove("mlflow.db", "mlruns", "result", "timing", "late"));

/** How much passes; ratios are judged with TRACK_TEST_FULL (and by the bench) only, as a loaded machine misses them. */
const isFull = process.env["TRACK_TEST_FULL"] === "1";
const megabytes = (full: number, usual: number): number => (isFull ? full : usual) * 1_000_000;
const env = { stream: tools.path("stream"), stopwatch: tools.path("stopwatch"), flood: tools.path("flood") };

interface Drained {
  readonly bytes: number;
  readonly ms: number;
}

const readJson = (name: string): unknown => JSON.parse(readFileSync(bench.path(name), "utf8"));

/** What arrived behind a pipe, and the wrapper's own figures; `reader` stands between the two. */
async function pipe(bytes: number, options: { readonly isBare?: boolean; readonly reader?: string } = {}) {
  const wrapper = options.isBare === true ? "" : `"$stopwatch" $D/timing inherit "$track"`;
  const between = options.reader === undefined ? "" : `| ${options.reader}`;
  const { exitCode } = await bench.bash(
    `${wrapper} "$stream" emit ${bytes} ${between} | "$stream" drain $D/result`,
    env,
  );
  expect(exitCode).toBe(0);
  return {
    drained: readJson("result") as Drained,
    peakMegabytes: options.isBare === true ? 0 : ((readJson("timing") as Timing).maxRssKilobytes * 1024) / 1e6,
  };
}

describe("a lot of output", () => {
  test("B1 1 GB through a pipe: every byte, in little memory", async () => {
    const bytes = megabytes(1000, 200);
    const { drained, peakMegabytes } = await pipe(bytes);
    expect(drained.bytes).toBe(bytes);
    expect(peakMegabytes).toBeLessThan(150);
    if (!isFull) return;
    expect(drained.ms / (await pipe(bytes, { isBare: true })).drained.ms).toBeLessThan(2.5);
  }, 120_000);

  test("B1 with a reader that takes it in gulps", async () => {
    const code = "import os, time\nwhile data := os.read(0, 65536):\n  os.write(1, data); time.sleep(.0005)";
    const { drained, peakMegabytes } = await pipe(50_000_000, { reader: `python3 -S -c '${code}'` });
    expect(drained.bytes).toBe(50_000_000);
    expect(peakMegabytes).toBeLessThan(150);
  });

  test("B2 200 MB to a terminal", async () => {
    const bytes = megabytes(200, 40);
    const words = ["emit", String(bytes)];
    const { exitCode } = await bench.run([
      env.stream,
      "terminal",
      bench.path("result"),
      bench.track,
      env.stream,
      ...words,
    ]);
    expect(exitCode).toBe(0);
    const { bytes: arrived, ms } = readJson("result") as Drained;
    // The terminal writes \r\n for every \n: one in 80 characters, in pieces of 64 KiB.
    expect(arrived).toBe(bytes + Math.floor(bytes / 65_536) * 819 + Math.floor((bytes % 65_536) / 80));
    if (isFull) expect(bytes / ms / 1000).toBeGreaterThan(30);
  }, 60_000);

  test("B3 100 MB without a line end", async () => {
    const { stdout } = await bench.bash(`"$track" head -c 100000000 /dev/zero | tr -d '\\n' | wc -c`);
    expect(stdout.toString().trim()).toBe("100000000");
  });

  test("B4 100 MB on stdout and on stderr at once", async () => {
    const bytes = 100_000_000;
    const script = `"$track" sh -c '"$stream" emit ${bytes} & "$stream" emit ${bytes} >&2; wait' 2> >("$stream" drain $D/late) | "$stream" drain $D/result
until [ -s $D/late ]; do sleep 0.02; done`;
    expect((await bench.bash(script, env)).exitCode).toBe(0);
    expect([readJson("result"), readJson("late")]).toMatchObject([{ bytes }, { bytes }]);
  }, 60_000);

  test("B5 100,000 log lines in a second beside output: nothing is lost, no line is late", async () => {
    const script = `"$track" sh -c '"$flood" 100000 1 $D/timing & "$stream" tick 1000 1000; wait' | "$stream" listen $D/result; echo "\${PIPESTATUS[@]}"`;
    expect((await bench.bash(script, env)).stdout.toString()).toBe("0 0\n");
    const heard = readJson("result") as { readonly lines: number; readonly p99Ms: number };
    expect(heard.lines).toBe(1000);
    expect(heard.p99Ms).toBeLessThan(50);
    await using store = await openTrackingStore(bench.trackingUri, { mode: "read" });
    const { run } = await bench.lastRun();
    let count = 0;
    let pageToken: string | undefined;
    do {
      const page = await store.getMetricHistory(run.info.runId, "m0", {
        maxResults: 25_000,
        ...(pageToken && { pageToken }),
      });
      count += page.items.length;
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined && pageToken !== "");
    expect(count).toBe(100_000);
  }, 60_000);
});
