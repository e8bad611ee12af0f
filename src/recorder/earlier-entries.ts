import type {
  JournalEntry,
  JournalMemo,
  MetricTuple,
  ScrapePosition,
  StoreOperation,
} from "../entities/journal-entry.ts";
import { isTerminalStatus } from "../entities/run-status.ts";
import type { JournalHeader } from "../wire/journal-header.ts";
import type { LiveRun } from "./live-run.ts";

const requestsKept = 64;

/** What earlier sessions of the journal had written down. */
export class EarlierEntries {
  readonly #live: LiveRun;
  readonly #header: JournalHeader;
  readonly #requests = new Map<string, string>();
  /** What was remembered beside the store's writes. */
  memo: JournalMemo = {};
  isBegun = false;
  /** The final status stands in the journal already. */
  isEnded = false;
  /** Bytes of the append file that are taken in. */
  logOffset = 0;
  /** How far each file of console output is taken in. */
  scraped: readonly ScrapePosition[] = [];
  /** Steps of system metrics that are taken already. */
  nextSystemStep = 0;
  /** When something was last said, in ms since the epoch. */
  lastSaidAt: number;

  constructor(live: LiveRun, header: JournalHeader) {
    this.#live = live;
    this.#header = header;
    this.lastSaidAt = header.startTime;
  }

  add({ operation, receivedAt, logOffset, scraped, memo }: JournalEntry): void {
    this.isBegun = true;
    if (memo !== undefined) this.#remember(memo, operation);
    this.lastSaidAt = Math.max(this.lastSaidAt, receivedAt);
    if (logOffset !== undefined) this.logOffset = logOffset;
    if (scraped !== undefined) this.scraped = scraped;
    this.#live.observe(operation);
    if (operation.op === "update-run" && operation.runId === this.#header.runId && operation.status !== undefined) {
      this.isEnded = isTerminalStatus(operation.status);
    }
    if (operation.op !== "log-batch") return;
    for (const metric of operation.metrics ?? []) this.#noteStep(metric);
  }

  /** The run that a request was answered with under a recorder that died, by `requestKey`; asked for once, since a later one means another run. */
  takeRequest(key: string): string | undefined {
    const runId = this.#requests.get(key);
    this.#requests.delete(key);
    return runId;
  }

  #remember(memo: JournalMemo, operation: StoreOperation): void {
    this.memo = { ...this.memo, ...memo };
    if (memo.requestKey !== undefined && "runId" in operation) this.#requests.set(memo.requestKey, operation.runId);
    // Only the last requests can have been under way when their recorder died.
    if (this.#requests.size > requestsKept) this.#requests.delete(this.#requests.keys().next().value ?? "");
  }

  #noteStep([key, , , step]: MetricTuple): void {
    if (key.startsWith("system/")) this.nextSystemStep = Math.max(this.nextSystemStep, step + 1);
  }
}
