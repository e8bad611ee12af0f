import { closeSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { hasCode } from "../util/error-code.ts";
import { isProcessAlive, readStartTicks } from "../util/proc.ts";

/** The right of one process to drain a journal. The kernel takes it back when the process dies. */
export interface JournalClaim {
  release(): Promise<void>;
}

export type ClaimKind = "socket" | "file";

/**
 * `undefined` while another process (or an earlier claim of this one) holds the journal. On Linux the lock is the name of an
 * abstract Unix socket made of the folder's device and inode: nothing is left on the disk, and no stale lock is ever judged.
 * Its reach is the network namespace. Elsewhere it is a lock file whose owner is looked up.
 */
export function claimJournal(
  folder: string,
  kind: ClaimKind = process.platform === "linux" ? "socket" : "file",
): Promise<JournalClaim | undefined> {
  return kind === "socket" ? claimBySocket(folder) : Promise.resolve(claimByFile(folder));
}

function claimBySocket(folder: string): Promise<JournalClaim | undefined> {
  const { dev, ino } = statSync(folder);
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", (error) => (hasCode(error, "EADDRINUSE") ? resolve(undefined) : reject(error)));
    server.listen(`\0track-journal-${dev}-${ino}`, () => {
      server.unref();
      resolve({ release: () => new Promise((released) => void server.close(() => released())) });
    });
  });
}

function claimByFile(folder: string): JournalClaim | undefined {
  const path = join(folder, "claim.json");
  if (!createLock(path)) {
    if (isOwnerAlive(path)) return undefined;
    rmSync(path, { force: true });
    if (!createLock(path)) return undefined;
  }
  return { release: () => Promise.resolve(rmSync(path, { force: true })) };
}

function createLock(path: string): boolean {
  try {
    const fd = openSync(path, "wx", 0o600);
    writeSync(fd, JSON.stringify({ pid: process.pid, startTicks: readStartTicks(process.pid) ?? 0 }));
    closeSync(fd);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** A lock that is being written, or is gone again, counts as held: its owner lives. */
function isOwnerAlive(path: string): boolean {
  try {
    const { pid, startTicks } = JSON.parse(readFileSync(path, "utf8")) as { pid: number; startTicks: number };
    if (startTicks > 0) return isProcessAlive({ pid, startTicks });
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (hasCode(error, "ESRCH")) return false;
    if (error instanceof SyntaxError || hasCode(error, "ENOENT", "EPERM")) return true;
    throw error;
  }
}
