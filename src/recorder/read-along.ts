import type { TensorboardReader } from "../intake/tensorboard/tensorboard-reader.ts";
import type { ConsoleMetrics } from "./console-metrics.ts";
import { messageOf } from "../util/error-code.ts";
import type { Recording } from "./recording.ts";

/** What a run was asked to take from its console output and its files; each is absent, and not loaded, where it was not. */
export interface ReadAlong {
  readonly console?: ConsoleMetrics;
  readonly tensorboard?: TensorboardReader;
}

/** `now`: when console output that is read now counts as printed, ms since the epoch. */
export async function openReadAlong(recording: Recording, now: () => number): Promise<ReadAlong> {
  const { scrape } = recording.header;
  const console = scrape === undefined ? undefined : await openConsole(recording, scrape, now);
  const tensorboard = await openTensorboard(recording);
  return { ...(console !== undefined && { console }), ...(tensorboard !== undefined && { tensorboard }) };
}

async function openConsole(
  recording: Recording,
  scrape: string,
  now: () => number,
): Promise<ConsoleMetrics | undefined> {
  try {
    const { ConsoleMetrics } = await import("./console-metrics.ts");
    return await ConsoleMetrics.load(recording, scrape, now);
  } catch (error) {
    // It was checked before the start; what keeps it from being loaded now must not keep the run from being recorded.
    recording.notice("scrape", `no metrics are taken from the output: ${messageOf(error)}`);
    return undefined;
  }
}

async function openTensorboard(recording: Recording): Promise<TensorboardReader | undefined> {
  const { tensorboard } = recording.header;
  if (tensorboard === undefined) return undefined;
  try {
    const { TensorboardReader } = await import("../intake/tensorboard/tensorboard-reader.ts");
    return new TensorboardReader({
      ...tensorboard,
      sink: (record) => {
        if (record.type === "batch") recording.live.log(record);
      },
      onBatch: () => recording.live.commit(),
      onNotice: (kind, text) => recording.notice(kind, text),
      congestion: () => recording.congestion,
    });
  } catch (error) {
    // As above: the run goes on without them.
    recording.notice("tensorboard", `no event files are read: ${messageOf(error)}`);
    return undefined;
  }
}
