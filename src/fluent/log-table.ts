import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { mlflowTags } from "../entities/tag-keys.ts";
import { invalidParameter } from "../errors.ts";
import { toPythonJson } from "../util/python-json.ts";
import { read } from "./environment.ts";
import { isCode } from "./experiments.ts";
import { checkArtifactFile, sayBytes, sayText } from "./log-artifacts.ts";
import { type Logged, said, tagLine } from "./log-calls.ts";
import { report } from "./report.ts";
import type { RunLog } from "./run-log.ts";
import { askStore, flushLines } from "./session.ts";
import { cellKindsOf, joined, type Table, type TableData, type TableKind, tableOf, tableOfJson } from "./table.ts";

/**
 * Logs a table as MLflow's `log_table` does, to a `.json` or `.parquet` file, and lists it in the tag `mlflow.loggedArtifacts`. A table
 * that the run has under that name is appended to. Columns are of equal length, those of a `.parquet` file of one type each; throws
 * `INVALID_PARAMETER_VALUE` where they are not. As `logArtifact` in all else.
 */
export function logTable(data: TableData, artifactFile: string): Logged {
  checkArtifactFile(artifactFile);
  const kind = kindOf(artifactFile);
  const added = tableOf(data, kind);
  return said((log) => log.inOrder(() => write(log, kind, artifactFile, added)));
}

function kindOf(artifactFile: string): TableKind {
  if (artifactFile.endsWith(".json")) return "json";
  if (artifactFile.endsWith(".parquet")) return "parquet";
  throw invalidParameter(
    `Invalid artifact file path '${artifactFile}': a table needs a name that ends with .json or .parquet`,
  );
}

/** What is there and cannot be read is not written over. */
async function write(log: RunLog, kind: TableKind, artifactFile: string, added: Table): Promise<void> {
  try {
    // What is there at once is said at once: the program may end here.
    const known = log.tables.get(artifactFile);
    const before = known === undefined && !log.isNew ? await earlierTable(log, kind, artifactFile) : known;
    const table = joined(before, added);
    if (kind === "json") await sayText(log, JSON.stringify(table), artifactFile);
    else
      await sayBytes(log, (await import("./parquet-table.ts")).writeParquet(table, cellKindsOf(table)), artifactFile);
    log.tables.set(artifactFile, table);
    list(log, artifactFile);
  } catch (error) {
    report(error);
  }
}

function list(log: RunLog, path: string): void {
  const listed = log.loggedArtifacts;
  if (listed.some((entry) => entry.path === path && entry.type === "table")) return;
  listed.push({ path, type: "table" });
  void log.write(tagLine([{ key: mlflowTags.loggedArtifacts, value: toPythonJson(listed) }]));
}

/** Of a run that was not made here: what it has in its store by now. */
async function earlierTable(log: RunLog, kind: TableKind, artifactFile: string): Promise<Table | undefined> {
  const { session, runId } = log;
  const { info, data } = await askStore((store) => store.getRun(runId), Promise.resolve(session));
  log.noteListed(data);
  // The recorder's endpoint also has the files that are on their way.
  if (!info.artifactUri.startsWith("mlflow-artifacts:")) await flushLines(session.lines, "store");
  const repository = await session.openArtifacts(info.artifactUri);
  const folder = mkdtempSync(join(read("TMPDIR") ?? tmpdir(), "track-table-"));
  try {
    const path = join(folder, basename(artifactFile));
    await repository.downloadArtifact(artifactFile, path);
    if (kind === "json") return tableOfJson(readFileSync(path, "utf8"), artifactFile);
    return await (await import("./parquet-table.ts")).readParquet(readFileSync(path), artifactFile);
  } catch (error) {
    if (!isCode(error, "RESOURCE_DOES_NOT_EXIST")) throw error;
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    await repository.close?.();
  }
}
