import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { BenchRig, interleave, type Timing, track } from "./bench-rig.ts";
import { atLeast, atMost, median } from "./figure.ts";

interface Drained {
  readonly bytes: number;
  readonly ms: number;
}

interface Heard {
  readonly lines: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What `track` puts between a command's output and its reader. */
export const relay: Bench = async ({ tools, report, isQuick }) => {
  await using rig = new BenchRig(tools);
  const { pipe, terminal, listen } = readersIn(rig);
  const sizes = isQuick ? { pipe: 100e6, terminal: 20e6 } : { pipe: 1e9, terminal: 200e6 };

  const { ours, bare } = interleave(isQuick ? 1 : 3, {
    ours: () => pipe(sizes.pipe, true),
    bare: () => pipe(sizes.pipe, false),
  });
  report({
    name: `${sizes.pipe / 1e6} MB through a pipe`,
    unit: "ms",
    ours: median(ours.map(({ ms }) => ms)),
    baseline: { name: "bare pipe", value: median(bare.map(({ ms }) => ms)) },
    limit: atMost(2.5),
  });
  report({
    name: "wrapper's peak memory",
    unit: "MB",
    ours: Math.max(...ours.map((each) => each.wrapperMegabytes)),
    limit: atMost(150, "ours"),
  });

  const onTerminal = interleave(isQuick ? 1 : 5, {
    ours: () => terminal(sizes.terminal, true),
    bare: () => terminal(sizes.terminal, false),
  });
  const rateOf = (drained: readonly Drained[]): number => median(drained.map(({ bytes, ms }) => bytes / ms / 1000));
  report({
    name: `${sizes.terminal / 1e6} MB to a terminal`,
    unit: "MB/s",
    ours: rateOf(onTerminal.ours),
    baseline: { name: "bare terminal", value: rateOf(onTerminal.bare) },
    limit: atLeast(0.5),
  });

  const lines = isQuick ? 300 : 3000;
  const heard = listen(lines, true);
  const heardBare = listen(lines, false);
  report({
    name: "a line of output is seen after, p50",
    unit: "ms",
    ours: heard.p50Ms,
    baseline: { name: "bare pipe", value: heardBare.p50Ms },
  });
  report({
    name: "a line of output is seen after, p99",
    unit: "ms",
    ours: heard.p99Ms,
    baseline: { name: "bare pipe", value: heardBare.p99Ms },
    limit: atMost(5, "ours"),
    details: { maxMs: heard.maxMs },
  });
};

function readersIn(rig: BenchRig) {
  const stream = rig.tools.path("stream");
  const result = join(rig.root, "stream.json");
  const timing = join(rig.root, "wrapper.json");
  /** The command line of the writer, with `track` around it under a stopwatch of its own. */
  const wrapped = (isOurs: boolean, command: readonly string[]): string =>
    [...(isOurs ? [rig.tools.path("stopwatch"), timing, "inherit", track, "run", "--quiet", "--"] : []), ...command]
      .map((word) => `'${word}'`)
      .join(" ");
  const piped = (isOurs: boolean, writer: readonly string[], reader: string): void => {
    rig.run("sh", ["-c", `${wrapped(isOurs, writer)} | '${stream}' ${reader} '${result}'`]);
  };
  return {
    pipe: (bytes: number, isOurs: boolean): Drained & { readonly wrapperMegabytes: number } => {
      piped(isOurs, [stream, "emit", String(bytes)], "drain");
      const drained = rig.readJson("stream.json") as Drained;
      if (drained.bytes !== bytes) throw new Error(`${drained.bytes} bytes arrived instead of ${bytes}`);
      const peak = isOurs ? (rig.readJson("wrapper.json") as Timing).maxRssKilobytes : 0;
      // A gigabyte of console log each time is too much to keep.
      rmSync(join(rig.cwd, "mlruns"), { recursive: true, force: true });
      return { ...drained, wrapperMegabytes: (peak * 1024) / 1e6 };
    },
    terminal: (bytes: number, isOurs: boolean): Drained => {
      const command = [stream, "emit", String(bytes)];
      rig.run(stream, ["terminal", result, ...(isOurs ? [track, "run", "--quiet", "--"] : []), ...command]);
      const drained = rig.readJson("stream.json") as Drained;
      // The terminal writes \r\n for every \n.
      if (drained.bytes < bytes) throw new Error(`${drained.bytes} bytes arrived instead of ${bytes}`);
      rmSync(join(rig.cwd, "mlruns"), { recursive: true, force: true });
      return drained;
    },
    listen: (lines: number, isOurs: boolean): Heard => {
      piped(isOurs, [stream, "tick", String(lines), "1000"], "listen");
      const heard = rig.readJson("stream.json") as Heard;
      if (heard.lines !== lines) throw new Error(`${heard.lines} lines arrived instead of ${lines}`);
      return heard;
    },
  };
}
