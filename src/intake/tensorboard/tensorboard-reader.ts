import { basename } from "node:path";
import type { LogSink } from "../../entities/log-record.ts";
import { hasCode, messageOf } from "../../util/error-code.ts";
import { toMetricName } from "../metric-name.ts";
import { EventFile } from "./event-file.ts";
import { EventNames } from "./event-names.ts";
import { findEventFiles } from "./find-event-files.ts";
import { readEvent, type TensorboardEvent } from "./read-event.ts";

export interface TensorboardOptions {
  /** Absolute. */
  readonly folders: readonly string[];
  /** Sizes of files that were there before the command started, in bytes. */
  readonly existing: Readonly<Record<string, number>>;
  sink: LogSink;
  /** After each look at a file. */
  onBatch(): void;
  onNotice(kind: string, text: string): void;
  /** A promise while nothing more should come. */
  congestion(): Promise<void> | undefined;
}

const shortestPauseMs = 1000;
const longestPauseMs = 30_000;
/** A large tree is looked through less often: at most a tenth of the time. */
const pausePerLook = 10;

/**
 * Takes scalars and hyperparameters from TensorBoard's event files in and below some folders, as they grow. Reading the same
 * file twice says the same points with the same times, which are one point each in the store.
 */
export class TensorboardReader {
  readonly #options: TensorboardOptions;
  readonly #files = new Map<string, EventFile>();
  readonly #names = new EventNames();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(options: TensorboardOptions) {
    this.#options = options;
  }

  /** Begins to look. Keeps no process alive. */
  start(): void {
    this.#timer ??= setTimeout(() => void this.#lookOn(), shortestPauseMs).unref();
  }

  /** Takes in what is there by now, and stops. May be started again. */
  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#looking;
    await this.#look();
  }

  /** Folders in which no event file has been seen. */
  get emptyFolders(): readonly string[] {
    const paths = [...this.#files.keys()];
    return this.#options.folders.filter((folder) => !paths.some((path) => path.startsWith(`${folder}/`)));
  }

  async #lookOn(): Promise<void> {
    const began = performance.now();
    this.#looking = this.#look();
    await this.#looking;
    const pauseMs = Math.min(longestPauseMs, Math.max(shortestPauseMs, (performance.now() - began) * pausePerLook));
    if (this.#timer !== undefined) this.#timer = setTimeout(() => void this.#lookOn(), pauseMs).unref();
  }

  async #look(): Promise<void> {
    for (const folder of this.#options.folders) {
      try {
        const found = await findEventFiles(folder);
        for (const path of [...found.keys()].sort(byAge)) await this.#readFile(path, found.get(path) ?? 0);
      } catch (error) {
        // A source that fails must not end the recording of the others; the next look tries again.
        this.#options.onNotice("tensorboard", `cannot read event files in ${folder}: ${messageOf(error)}`);
      }
    }
  }

  async #readFile(path: string, size: number): Promise<void> {
    const file = this.#files.get(path) ?? new EventFile(path, this.#options.existing[path] ?? 0);
    this.#files.set(path, file);
    try {
      await file.readOn(size, {
        onRecord: (data) => this.#take(path, data),
        onFault: (kind, message) => this.#options.onNotice(`tensorboard ${kind}`, message),
        congestion: () => {
          this.#options.onBatch();
          return this.#options.congestion();
        },
      });
    } catch (error) {
      if (!hasCode(error, "ENOENT", "EACCES", "EPERM", "ESTALE")) throw error;
    }
    this.#options.onBatch();
  }

  #take(path: string, data: Uint8Array): void {
    const event = decode(data);
    if (event === undefined) {
      this.#options.onNotice("tensorboard event", `${path}: an event cannot be read and was left out`);
      return;
    }
    this.#logScalars(path, event);
    const params = event.hparams.flatMap(([name, value]) => {
      const key = toMetricName(name);
      return key === undefined ? [] : [[key, value] as const];
    });
    if (params.length > 0) this.#options.sink({ type: "batch", params });
  }

  #logScalars(path: string, { scalars, step, wallTime }: TensorboardEvent): void {
    const metrics = scalars.flatMap(([tag, value]) => {
      const key = this.#names.nameOf(path, tag);
      return key === undefined ? [] : [[key, value] as const];
    });
    if (metrics.length === 0 || !Number.isSafeInteger(step)) return;
    const timestamp = Math.round(wallTime * 1000);
    const isTime = Number.isSafeInteger(timestamp) && timestamp >= 0;
    this.#options.sink({ type: "batch", metrics, step, ...(isTime && { timestamp }) });
  }
}

/** `undefined` for bytes that are no event, although their checksum is right. */
function decode(data: Uint8Array): TensorboardEvent | undefined {
  try {
    return readEvent(data);
  } catch {
    // The library throws plain errors of many kinds for what it cannot read.
    return undefined;
  }
}

/** By the time in the names: what spoke first is read first, by a recorder that starts again as well. */
function byAge(left: string, right: string): number {
  return timeOf(left) - timeOf(right) || (left < right ? -1 : 1);
}

function timeOf(path: string): number {
  return Number(/tfevents\.(\d+)/u.exec(basename(path))?.[1] ?? 0);
}
