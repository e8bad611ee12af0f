import { appendFileSync, fstatSync } from "node:fs";
import { journalFiles } from "../../wire/journal-header.ts";
import { oneLine } from "../io.ts";

/**
 * Notes a line of ours before it is said where stderr is a file, since that is the command's stderr as well: the recorder leaves it
 * out of the console log. Never throws: a line too many there is worth nothing.
 */
export function noteOwnLine(journalFolder: string, message: string): void {
  try {
    if (!fstatSync(2).isFile()) return;
    // A journal that is done with is gone by now; nothing reads the file any more then.
    appendFileSync(`${journalFolder}/${journalFiles.ownLines}`, `${JSON.stringify(`track: ${oneLine(message)}\n`)}\n`, {
      mode: 0o600,
    });
  } catch {
    // See above.
  }
}
