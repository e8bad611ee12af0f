import { monotonicMs } from "../util/monotonic.ts";

export interface ConsolePartsOptions {
  /** Bytes of the log by now. */
  size(): number;
  /** A copy of the log so far, under a path of its own; `undefined` where none can be had. */
  copy(): Promise<string | undefined>;
  send(path: string): void;
  /** Such a copy that was sent is not stored yet. */
  isWaiting(path: string): boolean;
  /** Nothing would be taken now. */
  isStoreAway(): boolean;
  readonly lookMs?: number;
  readonly firstMs?: number;
}

const defaults = { lookMs: 2000, firstMs: 10_000 };
/** What all parts of a log together may cost: a server takes a file only whole, so each part is all of it so far. */
const bytesPerSecond = 32 * 1024;
/** A longer log goes up at the end alone: what else is said of the run would wait too long behind it. */
const mostBytes = 64 * 1024 * 1024;

/** Sends a console log to a tracking server while it grows, at distances that grow with it: 10 s, for a megabyte half a minute. */
export class ConsoleParts {
  readonly #options: ConsolePartsOptions & typeof defaults;
  #timer: NodeJS.Timeout | undefined;
  #sentAt = monotonicMs();
  #sentBytes = 0;
  #sentPath: string | undefined;
  #isStopped = false;

  constructor(options: ConsolePartsOptions) {
    this.#options = { ...defaults, ...options };
  }

  /** Keeps no process alive. */
  start(): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), this.#options.lookMs).unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#isDue()) await this.#send();
    this.start();
  }

  #isDue(): boolean {
    const { size, firstMs, isStoreAway, isWaiting } = this.#options;
    const bytes = size();
    if (bytes <= this.#sentBytes || bytes > mostBytes) return false;
    if (monotonicMs() - this.#sentAt < Math.max(firstMs, (bytes / bytesPerSecond) * 1000)) return false;
    return !isStoreAway() && !(this.#sentPath !== undefined && isWaiting(this.#sentPath));
  }

  async #send(): Promise<void> {
    const bytes = this.#options.size();
    const path = await this.#options.copy();
    if (path === undefined || this.#isStopped) return;
    this.#options.send(path);
    this.#sentAt = monotonicMs();
    this.#sentBytes = bytes;
    this.#sentPath = path;
  }
}
