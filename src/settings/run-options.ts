/** How console output is captured; cli.md says what `auto` decides. */
export type CaptureMode = "auto" | "pty" | "pipe" | "off";

export const captureModes: readonly CaptureMode[] = ["auto", "pty", "pipe", "off"];

/** `auto`: what the launcher's variables say; `off`: a run of its own. */
export type RankOption = "auto" | "off" | number;

/** A `key=value` as typed, split at the first `=`. */
export type KeyValue = readonly [key: string, value: string];

/**
 * What was typed after `track run`, parsed but not merged with the environment: an absent field was not typed.
 * `params` holds each key once; in `tags` the last of a repeated key wins.
 */
export interface RunOptions {
  readonly resumeKey?: string;
  readonly rank?: RankOption;
  readonly experimentName?: string;
  readonly experimentId?: string;
  readonly runName?: string;
  readonly tags: readonly KeyValue[];
  readonly params: readonly KeyValue[];
  readonly description?: string;
  readonly runId?: string;
  readonly parentRunId?: string;
  readonly nested?: boolean;
  readonly trackingUri?: string;
  readonly systemMetrics?: boolean;
  readonly samplingIntervalSeconds?: number;
  readonly capture?: CaptureMode;
  readonly timeoutMs?: number;
  readonly graceMs?: number;
  readonly survive?: boolean;
  readonly strict?: boolean;
  readonly offline?: boolean;
  readonly syncTimeoutMs?: number;
  readonly consoleLimitBytes?: number;
  readonly redact?: boolean;
  /** `auto`, `off` or a pattern. */
  readonly scrape?: string;
  /** Folders, as typed. */
  readonly tensorboard?: readonly string[];
  readonly paramsFromArgs?: boolean;
  readonly autolog?: boolean;
  readonly direct?: boolean;
  readonly pythonHook?: boolean;
  readonly runIdFile?: string;
  readonly summaryFile?: string;
  readonly quiet?: boolean;
}

/** What was typed after `track resume`. */
export interface ResumeOptions extends Omit<RunOptions, "runId" | "resumeKey"> {
  /** Go on although the run seems to be alive. */
  readonly force?: boolean;
}
