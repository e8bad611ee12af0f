import { basename } from "node:path";
import { UsageError } from "../../errors.ts";
import type { RunSettings } from "../../settings/run-settings.ts";
import { parseTrackingUri } from "../../store/tracking-uri.ts";

/** Programs whose processes run where our loopback endpoint is not: on other hosts, or in another network namespace. */
const remoteStarters = new Set(["srun", "sbatch", "mpirun", "ssh", "docker", "podman", "kubectl"]);

export interface Direct {
  readonly isDirect: boolean;
  /** Said where nobody asked for it. */
  readonly hint?: string;
}

/** Whether the command's MLflow clients go to the store themselves. Throws exit code 125 for a store that they cannot all name. */
export function decideDirect(settings: RunSettings, command: readonly string[]): Direct {
  if (settings.direct) {
    refuseAmbiguousPath(settings.trackingUri);
    return { isDirect: true };
  }
  const program = basename(command[0] ?? "");
  if (!remoteStarters.has(program)) return { isDirect: false };
  return {
    isDirect: true,
    hint: `${program} starts its processes elsewhere: their MLflow clients go to the store themselves, as with --direct`,
  };
}

/** SQLAlchemy 2.0 and 2.1 read such a path differently (contract 4.1). */
function refuseAmbiguousPath(trackingUri: string): void {
  const uri = parseTrackingUri(trackingUri);
  if (uri.kind !== "sqlite" || !/[%?]/u.test(uri.path)) return;
  throw new UsageError(`MLflow clients cannot be led to a database with % or ? in its path: ${uri.path}`, {
    exitCode: 125,
    hint: "leave out --direct, or use another path",
  });
}
