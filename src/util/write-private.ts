import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes a small file of a journal folder whole or not at all, 0600. Throws on failure. */
export function writePrivate(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
}
