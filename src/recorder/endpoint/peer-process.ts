import { readdirSync } from "node:fs";
import { readLink, readOrUndefined } from "../../util/proc.ts";
import { monotonicMs } from "../../util/monotonic.ts";

/** A port is used again by somebody else only when its first user has gone. */
const keptMs = 10_000;

const established = "01";

/** The processes at the other end of our loopback connections. Without /proc, or in another namespace, nobody is known. */
export class PeerProcesses {
  readonly #ownPort: number;
  readonly #known = new Map<number, { readonly pid: number | undefined; readonly at: number }>();

  constructor(ownPort: number) {
    this.#ownPort = ownPort;
  }

  /** The process that holds the client's end, the lowest where several do; it costs some ms the first time. */
  pidOf(port: number): number | undefined {
    const known = this.#known.get(port);
    if (known !== undefined && monotonicMs() - known.at < keptMs) return known.pid;
    const inode = findInode(port, this.#ownPort);
    const pid = inode === undefined ? undefined : findOwner(inode);
    if (this.#known.size > 1000) this.#known.clear();
    this.#known.set(port, { pid, at: monotonicMs() });
    return pid;
  }
}

/** Line of /proc/net/tcp: number, local address, remote address, state, ..., inode as the tenth word. */
function findInode(port: number, ownPort: number): string | undefined {
  const ends = [`:${toHex(port)}`, `:${toHex(ownPort)}`] as const;
  for (const line of (readOrUndefined("/proc/net/tcp") ?? "").split("\n")) {
    const [, local = "", remote = "", state, , , , , , inode] = line.trim().split(/\s+/u);
    if (local.endsWith(ends[0]) && remote.endsWith(ends[1]) && state === established) return inode;
  }
  return undefined;
}

const toHex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");

function findOwner(inode: string): number | undefined {
  const wanted = `socket:[${inode}]`;
  const pids = list("/proc")
    .map(Number)
    .filter((pid) => pid > 0)
    .toSorted((a, b) => a - b);
  return pids.find((pid) => {
    if (pid === process.pid) return false;
    return list(`/proc/${pid}/fd`).some((fd) => readLink(`/proc/${pid}/fd/${fd}`) === wanted);
  });
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // No /proc, a process that has ended, or another user's: whatever it is, nobody is found there.
    return [];
  }
}
