import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ConsoleScraper } from "../../../src/intake/scrape/console-scraper.ts";
import { recogniserMaker } from "../../../src/intake/scrape/create-recogniser.ts";
import type { ScrapedRecord } from "../../../src/intake/scrape/scraped.ts";

export const logs = resolve(import.meta.dirname, "../../../fixtures/logs");

export const readLog = (name: string): Buffer => readFileSync(join(logs, name));

/** What is found in some output, cut into the given chunks; nothing is cut by default. */
export async function scrapeChunks(chunks: readonly (string | Buffer)[], scrape = "auto"): Promise<ScrapedRecord[]> {
  const records: ScrapedRecord[] = [];
  const scraper = new ConsoleScraper({
    createRecogniser: await recogniserMaker(scrape),
    onRecord: (record) => records.push(record),
  });
  for (const chunk of chunks) scraper.push(Buffer.from(chunk));
  scraper.finish();
  return records;
}

/** `step<tab>key=value key=value`, `-` where no step was named; one a record. */
export const show = ({ step, metrics }: ScrapedRecord): string =>
  `${step ?? "-"}\t${metrics.map(([key, value]) => `${key}=${value}`).join(" ")}`;

export async function scrapeText(text: string, scrape = "auto"): Promise<string[]> {
  return (await scrapeChunks([text], scrape)).map((record) => show(record));
}
