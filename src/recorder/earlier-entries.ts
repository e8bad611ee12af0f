import type { JournalEntry, MetricTuple, ScrapePosition } from "../entities/journal-entry.ts";
import type { JournalHeader } from "../wire/journal-header.ts";
import type { LiveRun } from "./live-run.ts";

/** What earlier sessions of the journal had written down. */
export class EarlierEntries {
  readonly #live: LiveRun;
  readonly #header: JournalHeader;
  isBegun = false;
  isEnded = false;
  logOffset = 0;
  scraped: readonly ScrapePosition[] = [];
  nextSystemStep = 0;
  lastSaidAt: number;

  constructor(live: LiveRun, header: JournalHeader) {
    this.#live = live;
    this.#header = header;
    this.lastSaidAt = header.startTime;
  }

  add({ operation, receivedAt, logOffset, scraped }: JournalEntry): void {
    this.isBegun = true;
    this.lastSaidAt = Math.max(this.lastSaidAt, receivedAt);
    if (logOffset !== undefined) this.logOffset = logOffset;
    if (scraped !== undefined) this.scraped = scraped;
    this.#live.observe(operation);
    if (operation.op === "update-run" && operation.runId === this.#header.runId && operation.status !== "RUNNING") {
      this.isEnded = true;
    }
    if (operation.op !== "log-batch") return;
    for (const metric of operation.metrics ?? []) this.#noteStep(metric);
  }

  #noteStep([key, , , step]: MetricTuple): void {
    if (key.startsWith("system/")) this.nextSystemStep = Math.max(this.nextSystemStep, step + 1);
  }
}
