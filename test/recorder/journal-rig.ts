import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newRunId } from "../../src/util/ids.ts";
import { readPlace } from "../../src/util/proc.ts";
import type { JournalHeader } from "../../src/wire/journal-header.ts";

/** A journal folder with a header, as a wrapper leaves it, in a folder of its own where the store is to be, too. */
export interface JournalRig extends Disposable {
  readonly root: string;
  /** The journal. */
  readonly folder: string;
  readonly header: JournalHeader;
}

/** `changes`: what the header says otherwise; without them a first attempt of `true` on SQLite that samples nothing. */
export function journalRig(changes: Partial<JournalHeader> = {}): JournalRig {
  const root = mkdtempSync(join(tmpdir(), "recorder-test-"));
  const folder = join(root, "journal");
  mkdirSync(folder);
  const header: JournalHeader = {
    version: 1,
    trackingUri: `sqlite:///${join(root, "mlflow.db")}`,
    runId: newRunId(),
    attempt: 1,
    isResumed: false,
    createId: "c",
    experiment: { experimentId: "0" },
    runName: "named",
    userId: "u",
    startTime: 1,
    tags: [],
    staleTags: [],
    params: [],
    command: ["true"],
    cwd: root,
    place: readPlace(),
    wrapper: { pid: process.pid, startTicks: 0 },
    survive: false,
    redact: true,
    hasSecrets: false,
    sampling: { enabled: false },
    consoleLimitBytes: 1e9,
    ...changes,
  };
  writeFileSync(join(folder, "header.json"), JSON.stringify(header));
  return { root, folder, header, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}
