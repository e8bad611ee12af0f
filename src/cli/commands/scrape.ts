import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { TrackError, UsageError } from "../../errors.ts";
import { ConsoleScraper } from "../../intake/scrape/console-scraper.ts";
import { recogniserMaker } from "../../intake/scrape/create-recogniser.ts";
import { NextSteps } from "../../intake/scrape/next-steps.ts";
import type { ScrapedRecord } from "../../intake/scrape/scraped.ts";
import { hasCode, messageOf } from "../../util/error-code.ts";
import { numberToJson } from "../../wire/rest-json.ts";
import type { Context } from "../context.ts";
import { formatNumber } from "../format-number.ts";
import { type Column, writeTable } from "../table.ts";

export interface ScrapeOptions {
  /** The log file; `-` for standard input. */
  readonly test?: string;
  /** As for `track run`; default `auto`. */
  readonly scrape: string;
  readonly json?: boolean;
}

interface FoundMetric {
  readonly line: number;
  readonly step: number;
  readonly key: string;
  readonly value: number;
  readonly by: string;
}

const columns: readonly Column<FoundMetric>[] = [
  { title: "LINE", cell: ({ line }) => String(line), isRight: true },
  { title: "STEP", cell: ({ step }) => String(step), isRight: true },
  { title: "METRIC", cell: ({ key }) => key, minWidth: 12 },
  { title: "VALUE", cell: ({ value }) => formatNumber(value), isRight: true },
  { title: "BY", cell: ({ by }) => by, dropOrder: 1, style: () => "dim" },
];

/** Shows what `track run --scrape` would log of a program's output. Logs nothing. */
export async function scrape(context: Context, options: ScrapeOptions): Promise<void> {
  if (options.test === undefined) {
    throw new UsageError("no log to look at", {
      hint: "track scrape --test train.log, or track run --scrape auto -- ...",
    });
  }
  if (options.scrape === "off") throw new UsageError("--scrape off finds nothing", { hint: "leave it out" });
  const found = await readMetrics(context, options.test, options.scrape);
  if (options.json === true) {
    const { writeJson } = await import("../write-json.ts");
    writeJson(context.io, { metrics: found.map((metric) => ({ ...metric, value: numberToJson(metric.value) })) });
  } else writeTable(context.io, columns, found);
  if (found.length === 0) context.io.say(`nothing in ${options.test} looks like a metric; --scrape takes a pattern`);
}

async function readMetrics(context: Context, file: string, scrape: string): Promise<readonly FoundMetric[]> {
  const found: FoundMetric[] = [];
  const steps = new NextSteps();
  const scraper = new ConsoleScraper({
    createRecogniser: await recogniserMaker(scrape),
    onRecord: (record) => found.push(...metricsOf(record, steps)),
  });
  try {
    for await (const chunk of file === "-" ? context.stdin() : createReadStream(resolve(context.cwd, file))) {
      scraper.push(Buffer.from(chunk as Uint8Array));
    }
  } catch (error) {
    if (!hasCode(error, "ENOENT", "EACCES", "EISDIR", "ENOTDIR", "ENXIO")) throw error;
    throw new TrackError(`cannot read ${file}: ${messageOf(error)}`, {
      hint: "give a log file, or - for stdin",
      cause: error,
    });
  }
  scraper.finish();
  return found;
}

function metricsOf(record: ScrapedRecord, steps: NextSteps): readonly FoundMetric[] {
  const step = steps.stepOf(record);
  return record.metrics.map(([key, value]) => ({ line: record.line, step, key, value, by: record.by }));
}
