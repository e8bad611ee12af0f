/** main.ts [--quick] [<bench>...]: measures the built `track`; one line a figure, all of them in test-results/bench.json. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { repository } from "../e2e/rig.ts";
import type { Bench } from "./bench.ts";
import { Tools, track } from "./bench-rig.ts";
import { endpoint } from "./endpoint.ts";
import { type Figure, formatFigure, isWithinLimit, ratioOf } from "./figure.ts";
import { ingest } from "./ingest.ts";
import { library } from "./library.ts";
import { logCommand } from "./log-command.ts";
import { look } from "./look.ts";
import { relay } from "./relay.ts";
import { sampling } from "./sampling.ts";
import { scrape } from "./scrape.ts";
import { start } from "./start.ts";
import { sync } from "./sync.ts";

const benches: Readonly<Record<string, Bench>> = {
  start,
  log: logCommand,
  ingest,
  endpoint,
  sync,
  library,
  sampling,
  look,
  relay,
  scrape,
};

/** A bench that is broken shows in the exit code; a limit that is missed does not, since a loaded machine misses them. */
async function main(args: readonly string[]): Promise<number> {
  const isQuick = args.includes("--quick");
  const names = args.filter((arg) => arg !== "--quick");
  const unknown = names.find((name) => !(name in benches));
  if (unknown !== undefined) {
    console.error(`no bench ${unknown}; there are ${Object.keys(benches).join(", ")}`);
    return 2;
  }
  const figures: object[] = [];
  const broken: string[] = [];
  const began = { at: new Date().toISOString(), load: loadavg()[0] };
  using tools = Tools.compile();
  for (const [name, bench] of Object.entries(benches)) {
    if (names.length > 0 && !names.includes(name)) continue;
    const report = (figure: Figure): void => {
      console.log(formatFigure(name, figure));
      figures.push({ bench: name, ...figure, ratio: ratioOf(figure), isOk: isWithinLimit(figure) });
    };
    try {
      await bench({ tools, report, isQuick });
    } catch (error) {
      console.error(`${name.padEnd(9)}  BROKEN: ${error instanceof Error ? error.message : String(error)}`);
      broken.push(name);
    }
  }
  write({
    track,
    node: process.version,
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    isQuick,
    began,
    ended: { at: new Date().toISOString(), load: loadavg()[0] },
    broken,
    figures,
  });
  return broken.length === 0 ? 0 : 1;
}

function write(results: object): void {
  const folder = join(repository, "test-results");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "bench.json"), `${JSON.stringify(results, undefined, 2)}\n`);
}

process.exitCode = await main(process.argv.slice(2));
