import { journalRoots } from "../../client/journal-folder.ts";
import { UsageError } from "../../errors.ts";
import { findRecordingJournal } from "../../recorder/dead-journals.ts";
import { type Cluster, readCluster } from "../../settings/cluster.ts";
import type { RunOptions } from "../../settings/run-options.ts";
import type { RunSettings } from "../../settings/run-settings.ts";
import type { Environment } from "../../settings/tracking-uri.ts";
import { readPlace } from "../../util/proc.ts";
import { createMasker } from "../../wire/redact.ts";
import { runLiveness } from "../../wire/run-processes.ts";
import type { Context } from "../context.ts";
import { journalPlaces } from "./journal-places.ts";
import { type Preflight, preflight, type PreflightRequest } from "./preflight.ts";
import { preflightNow } from "./preflight-now.ts";

export interface ClusterStart {
  readonly cluster: Cluster;
  /** Without what only the first rank does. */
  readonly settings: RunSettings;
  preflight(asked: PreflightRequest, context: Context): Promise<Preflight>;
}

/** A start with a resume key, or by a scheduler or launcher. Throws exit code 125 for a mistake. */
export function clusterStart(
  given: RunSettings,
  start: { readonly options: RunOptions; readonly command: readonly string[]; readonly env: Environment },
): ClusterStart {
  const { options, command, env } = start;
  if (given.offline && options.resumeKey !== undefined) {
    throw new UsageError("a run cannot be continued --offline: its attempts are unknown", {
      exitCode: 125,
      hint: "leave out --resume-key, or --offline",
    });
  }
  const masker = createMasker(env, { enabled: given.redact });
  const masked = masker.maskArgv(command);
  const cluster = readCluster(options, env, masked);
  const settings = (cluster.rank?.index ?? 0) > 0 ? joinerSettings(given) : given;
  const roots = journalRoots(journalPlaces(settings.trackingUri, env));
  return {
    cluster,
    settings,
    preflight: async (asked, context) => {
      // Rank 0 of a first start looks for nothing, and must not wait for what would.
      if (!mustLookUp(cluster)) return preflightNow(asked) ?? (await preflight(asked));
      const { clusterPreflight } = await import("./cluster-preflight.ts");
      return await clusterPreflight({
        ...asked,
        cluster,
        command: masked,
        isAlive: (run) => {
          const here = readPlace();
          return runLiveness(run, here) === "alive" || findRecordingJournal(roots, here, run.info.runId) !== undefined;
        },
        say: (text) => void (settings.quiet || context.io.say(text)),
        now: () => context.now(),
      });
    },
  };
}

const mustLookUp = ({ rank, resumeKey }: Cluster): boolean =>
  (rank?.index ?? 0) > 0 || resumeKey?.isGiven === true || (resumeKey?.restart ?? 0) > 0;

/** Whatever describes the run is said once, by rank 0; files that all ranks would write to are its as well. */
function joinerSettings(given: RunSettings): RunSettings {
  const { runId: _runId, scrape: _scrape, runIdFile: _runIdFile, summaryFile: _summaryFile, ...rest } = given;
  return { ...rest, params: [], tags: [], tensorboard: [], paramsFromArgs: false, autolog: false, pythonHook: false };
}
