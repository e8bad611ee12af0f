import { spawnSync } from "node:child_process";
import { closeSync, constants, openSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { randomHex } from "../../util/ids.ts";

export interface PipeEnds {
  /** Non-blocking. */
  readonly readFd: number;
  /** Blocking, for the command. */
  readonly writeFd: number;
}

/**
 * A real pipe: Node's own "pipe" is a pair of sockets, on which `echo x >/dev/stderr` fails. `launcherFds` are taken from first.
 * `undefined` where none can be made, whatever the reason: the command then simply keeps the caller's descriptor.
 */
export function makePipe(launcherFds: number[]): PipeEnds | undefined {
  const fd = launcherFds.shift();
  try {
    if (fd !== undefined) return openEnds(`/proc/self/fd/${fd}`);
  } catch {
    // No descriptors left, or a /proc that cannot do this.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return makeFifo();
}

function makeFifo(): PipeEnds | undefined {
  for (const folder of [tmpdir(), "/dev/shm"]) {
    try {
      const path = `${folder}/track-${randomHex(8)}`;
      const made = spawnSync("mkfifo", ["-m", "600", path], { stdio: "ignore" });
      if (made.status !== 0) continue;
      try {
        return openEnds(path);
      } finally {
        unlinkSync(path);
      }
    } catch {
      // The next folder, or none.
    }
  }
  return undefined;
}

function openEnds(path: string): PipeEnds {
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return { readFd, writeFd: openSync(path, constants.O_WRONLY) };
  } catch (error) {
    closeSync(readFd);
    throw error;
  }
}
