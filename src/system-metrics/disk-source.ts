import { statfsSync } from "node:fs";
import { megabytes, type MetricSource, type MetricValue, percentOf, round1 } from "./metric-source.ts";

/** The file system of `/` as `psutil.disk_usage("/")`: used is of all blocks, the percentage of what a user can have. */
export class DiskSource implements MetricSource {
  readonly name = "disk";

  sample(): readonly MetricValue[] {
    const { blocks, bfree, bavail, frsize } = statfsSync("/");
    const used = (blocks - bfree) * frsize;
    const available = bavail * frsize;
    return [
      ["disk_usage_percentage", percentOf(used, used + available)],
      ["disk_usage_megabytes", round1(megabytes(used))],
      ["disk_available_megabytes", round1(megabytes(available))],
    ];
  }
}
