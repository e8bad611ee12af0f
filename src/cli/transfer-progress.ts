import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../util/error-code.ts";
import { formatBytes } from "./format-number.ts";
import type { Io } from "./io.ts";

/** Less is over before anybody looks. */
const shownFromBytes = 16 * 1024 * 1024;
const redrawMs = 200;
const barLength = 24;

export interface TransferProgress extends Disposable {
  /** Negative where a try is given up. */
  add(bytes: number): void;
}

/** A bar on stderr for one transfer of `totalBytes`; silent where stderr is no terminal or the transfer is small. Disposing of it takes the bar away. */
export function showTransfer(
  io: Io,
  { label, totalBytes, now }: { readonly label: string; readonly totalBytes: number; readonly now: () => number },
): TransferProgress {
  if (!io.isErrTerminal || totalBytes < shownFromBytes) return { add: () => {}, [Symbol.dispose]: () => {} };
  let done = 0;
  let drawnAt = 0;
  let width = 0;
  const draw = (): void => {
    const share = Math.min(1, Math.max(0, done / totalBytes));
    const bar = "#".repeat(Math.round(share * barLength)).padEnd(barLength, ".");
    const line = `track: ${label} [${bar}] ${Math.floor(share * 100)} % of ${formatBytes(totalBytes)}`;
    io.err(`\r${line.padEnd(width)}`);
    width = line.length;
    drawnAt = now();
  };
  return {
    add: (bytes) => {
      done += bytes;
      if (now() - drawnAt >= redrawMs) draw();
    },
    [Symbol.dispose]: () => {
      if (width > 0) io.err(`\r${" ".repeat(width)}\r`);
    },
  };
}

/** Bytes of a file, or of all files in a folder; what cannot be read counts nothing. */
export async function sizeOf(path: string): Promise<number> {
  try {
    const stats = await stat(path);
    if (!stats.isDirectory()) return stats.isFile() ? stats.size : 0;
    const sizes = (await readdir(path, { withFileTypes: true }))
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => sizeOf(join(path, entry.name)));
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  } catch (error) {
    if (hasCode(error, "ENOENT", "EACCES", "EPERM", "ELOOP", "ENOTDIR")) return 0;
    throw error;
  }
}
