import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactRepository } from "../../artifacts/artifact-repository.ts";
import type { ServerAccess } from "../../entities/server-access.ts";
import { TrackError } from "../../errors.ts";
import { claimJournal } from "../../journal/claim.ts";
import { readRunIds } from "../../journal/run-ids.ts";
import { type FoundJournal, soon } from "../../recorder/dead-journals.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { withoutUserinfo } from "../../util/uri-secrets.ts";
import { writePrivate } from "../../util/write-private.ts";
import { journalFiles, type JournalHeader } from "../../wire/journal-header.ts";
import { readContents } from "./journal-contents.ts";
import { JournalMover } from "./journal-mover.ts";
import type { SourceStore } from "./source-store.ts";

export interface Retarget {
  /** Of the other store. */
  readonly trackingUri: string;
  readonly access: ServerAccess | undefined;
  /** The same, open for writing. */
  readonly store: TrackingStore;
  openArtifacts(artifactUri: string): Promise<ArtifactRepository>;
  /** What the journal was written for. */
  readonly source: SourceStore;
  /** One line for the user: what cannot be had. */
  say(text: string): void;
}

/**
 * Makes another store the journal's: all that it still holds goes there, from its beginning; what its own store has of its runs
 * is copied. Throws `TrackError` where that cannot be; the journal is unchanged then.
 */
export async function retargetJournal(journal: FoundJournal, retarget: Retarget): Promise<void> {
  const { folder } = journal;
  const claim = await soon(() => claimJournal(folder));
  if (claim === undefined) throw new TrackError("another process is at it");
  try {
    const contents = readContents(journal);
    const earlierIds = readRunIds(folder);
    const mover = new JournalMover({ ...retarget, header: journal.header, contents, earlierIds });
    const ids = await mover.move();
    const {
      workspace: _workspace,
      isUntrusted: _isUntrusted,
      ...kept
    } = JSON.parse(readFileSync(join(folder, journalFiles.header), "utf8")) as JournalHeader;
    const workspace = retarget.access?.workspace;
    const moved: JournalHeader = {
      ...kept,
      trackingUri: withoutUserinfo(retarget.trackingUri),
      ...(workspace !== undefined && { workspace }),
      isRetargeted: true,
      earlierIds: { ...kept.earlierIds, ...earlierIds },
    };
    for (const name of [journalFiles.cursor, journalFiles.outerRunIds, journalFiles.refused, journalFiles.finished]) {
      rmSync(join(folder, name), { force: true });
    }
    writePrivate(folder, journalFiles.runIds, JSON.stringify(ids));
    writePrivate(folder, journalFiles.header, JSON.stringify(moved));
  } finally {
    await claim.release();
  }
}
