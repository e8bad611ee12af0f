import { existsSync } from "node:fs";
import { join } from "node:path";
import { readRunIds } from "../../journal/run-ids.ts";
import { readOpenRuns } from "../../recorder/open-runs-file.ts";
import { readRefused } from "../../journal/refused-log.ts";
import {
  findDeadJournals,
  type FoundJournal,
  listJournals,
  listLiveJournals,
  readJson,
} from "../../recorder/dead-journals.ts";
import { readPlace } from "../../util/proc.ts";
import { journalFiles, type ProcessIdentity } from "../../wire/journal-header.ts";
import { type Check, unwell, well } from "./check.ts";

const shownItems = 5;

/** What lies in the journals of this host: runs that are alive, what waits for the store, what the store refused. */
export function checkJournals(roots: readonly string[]): readonly Check[] {
  const here = readPlace();
  const all = listJournals(roots);
  const live = listLiveJournals(roots, here);
  const isLive = ({ folder }: FoundJournal): boolean => [...live.values()].includes(folder);
  const waiting = findDeadJournals(roots, here);
  const finished = all.filter(({ folder }) => existsSync(join(folder, journalFiles.finished)));
  const settled = new Set([...waiting, ...finished].map(({ folder }) => folder));
  const elsewhere = all.filter((journal) => !settled.has(journal.folder) && !isLive(journal));
  return [
    checkLive(all.filter(isLive)),
    checkWaiting(waiting),
    checkRefused(all),
    ...(elsewhere.length === 0 ? [] : [checkElsewhere(elsewhere)]),
  ];
}

function checkLive(journals: readonly FoundJournal[]): Check {
  if (journals.length === 0) return well("live runs", "none on this host");
  const runs = journals.map(({ folder, header }) => {
    const command = readJson(join(folder, journalFiles.command)) as ProcessIdentity | undefined;
    if (header.kind === "program") return describeProgram(folder, header);
    const process = command === undefined ? `track is pid ${header.wrapper.pid}` : `pid ${command.pid}`;
    return `${header.runId.slice(0, 8)} (${process}: ${header.command.join(" ").slice(0, 60)})`;
  });
  return well("live runs", few(runs));
}

/** A program makes its runs itself; the id of its journal says nothing to anybody. */
function describeProgram(folder: string, { wrapper, command }: FoundJournal["header"]): string {
  const storeIds = readRunIds(folder);
  const runs = Array.from(readOpenRuns(folder), (runId) => (storeIds[runId] ?? runId).slice(0, 8));
  const ids = runs.length === 0 ? "no run for now" : runs.join(" ");
  return `${ids} (program, pid ${wrapper.pid}: ${command.join(" ").slice(0, 60)})`;
}

function checkWaiting(journals: readonly FoundJournal[]): Check {
  if (journals.length === 0) return well("journals", "nothing waits for a store");
  const runs = journals.map(({ header }) => `${header.runId.slice(0, 8)} for ${header.trackingUri}`);
  const hint = "track sync sends them, and says what is in the way";
  return unwell("journals", `${journals.length} wait to be stored: ${few(runs)}`, hint);
}

function checkRefused(journals: readonly FoundJournal[]): Check {
  const refused = journals.flatMap(({ folder, header }) => {
    const [first, ...others] = readRefused(folder);
    if (first === undefined) return [];
    return [`${header.runId.slice(0, 8)}: ${others.length + 1} (${first.error.message.slice(0, 120)}) in ${folder}`];
  });
  if (refused.length === 0) return well("refused entries", "none");
  return unwell("refused entries", few(refused), `they are in ${journalFiles.refused} there; track gc removes them`);
}

function checkElsewhere(journals: readonly FoundJournal[]): Check {
  const places = journals.map(
    ({ folder, header }) => `${header.runId.slice(0, 8)} of ${header.place.host} in ${folder}`,
  );
  return well("other journals", `not to be judged from here: ${few(places)}`);
}

/** The first of them, and how many more there are. */
export function few(items: readonly string[]): string {
  const more = items.length - shownItems;
  return `${items.slice(0, shownItems).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
