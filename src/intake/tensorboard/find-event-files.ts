import { opendir, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../../util/error-code.ts";

/** Enough for any folder of event files; a whole file system given by mistake must not be walked for ever. */
const mostEntries = 50_000;
const deepest = 12;

/** As TensorBoard itself tells them. */
export const isEventFile = (name: string): boolean => name.includes("tfevents") && !name.endsWith(".profile-empty");

/** Event files in and below a folder, with their sizes in bytes. What cannot be looked at is not there. Links are not followed. */
export async function findEventFiles(folder: string): Promise<ReadonlyMap<string, number>> {
  const files = new Map<string, number>();
  const left = { entries: mostEntries };
  await walk(folder, { files, left, depth: 0 });
  return files;
}

interface Walk {
  readonly files: Map<string, number>;
  readonly left: { entries: number };
  readonly depth: number;
}

async function walk(folder: string, { files, left, depth }: Walk): Promise<void> {
  const folders: string[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      left.entries -= 1;
      if (left.entries < 0) return;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile() && isEventFile(entry.name)) files.set(path, (await stat(path)).size);
    }
  } catch (error) {
    if (!hasCode(error, "ENOENT", "ENOTDIR", "EACCES", "EPERM", "ESTALE", "ELOOP", "EIO")) throw error;
  }
  if (depth < deepest) for (const path of folders) await walk(path, { files, left, depth: depth + 1 });
}
