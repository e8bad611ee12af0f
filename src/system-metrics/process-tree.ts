import { readdirSync } from "node:fs";
import { readKernelRecord } from "./proc-file.ts";
import { hasRunId, type ProcessStat, readProcessStat } from "./process-stat.ts";

/** What a process that is no member was judged to be; `new`: foreign at first sight, to be looked at once more. */
type Other = "new" | "foreign" | "own";

export interface ProcessTreeOptions {
  readonly procRoot: string;
  /** The wrapped command; `undefined` as long as it has not been started. */
  readonly rootPid: () => number | undefined;
  /** Never counted, nor what they start. */
  readonly ownPids: readonly number[];
  /** Finds descendants that lost their parent before they were seen, by the TRACK_RUN_ID they inherited. */
  readonly runId?: string | undefined;
}

/** Of the processes judged foreign, how many are judged again per scan: pids are reused. */
const rechecksPerScan = 8;
const environmentReadsPerScan = 64;
/** /proc is listed at least every so many scans, also where no new pid was given out. */
const scansPerListing = 10;

/**
 * Which processes belong to a command: its descendants by parent pid, those once found that were reparented since, and
 * orphans with its run id. A process is judged when it is new, and /proc is listed only when a pid has been given out since,
 * so that a scan costs little more than one read per member, however many other processes the machine has.
 */
export class ProcessTree {
  readonly #options: ProcessTreeOptions;
  /** pid -> start ticks, which tell a reused pid. */
  #members = new Map<number, number>();
  #others = new Map<number, Other>();
  #root: { readonly pid: number; readonly startTicks: number } | undefined;
  #recheckAfter = 0;
  #latestPid: string | undefined;
  #scansSinceListing = 0;

  constructor(options: ProcessTreeOptions) {
    this.#options = options;
  }

  /** Members that exist now, zombies too; empty as long as the root is not known. */
  scan(): Map<number, ProcessStat> {
    const rootPid = this.#options.rootPid();
    if (rootPid === undefined) return new Map();
    const scan = new Scan({ ...this.#options, rootPid, root: this.#root });
    // Read before the listing: what is started in between is new for the next scan.
    const latestPid = readLatestPid(this.#options.procRoot);
    if (latestPid !== undefined && latestPid === this.#latestPid && this.#isQuiet()) {
      for (const [pid, startTicks] of this.#members) scan.addMember(pid, startTicks);
    } else {
      this.#latestPid = latestPid;
      this.#list(scan, rootPid);
    }
    this.#members = new Map(Array.from(scan.live, ([pid, stat]) => [pid, stat.startTicks]));
    return scan.live;
  }

  #list(scan: Scan, rootPid: number): void {
    const isFirst = this.#root === undefined;
    let rechecks = 0;
    let lastRecheck = 0;
    for (const pid of listPids(this.#options.procRoot)) {
      const other = this.#others.get(pid);
      if (this.#members.has(pid)) scan.addMember(pid, this.#members.get(pid));
      else if (pid === rootPid) scan.addNew(pid);
      else if (other === "new") scan.addNew(pid, true);
      else if (other !== undefined && pid > this.#recheckAfter && rechecks < rechecksPerScan) {
        rechecks += 1;
        lastRecheck = pid;
        scan.addSeen(pid);
      } else if (other !== undefined) scan.others.set(pid, other);
      // What was there before the root is no descendant of it, and reading it all would take too long at the start.
      else if (isFirst && pid < rootPid) scan.others.set(pid, this.#options.ownPids.includes(pid) ? "own" : "foreign");
      else scan.addNew(pid);
    }
    scan.judge();
    this.#scansSinceListing = 0;
    this.#recheckAfter = lastRecheck;
    this.#others = scan.others;
    this.#root = scan.root;
  }

  /** Nobody waits for a second look, and the latest listing is not too old. */
  #isQuiet(): boolean {
    this.#scansSinceListing += 1;
    return this.#scansSinceListing < scansPerListing && !this.#others.values().some((other) => other === "new");
  }

  /** Whether that pid was a member in the latest scan. */
  has(pid: number): boolean {
    return this.#members.has(pid);
  }
}

/** The pid given out last in our pid namespace, threads included; `undefined` where the kernel does not say. */
function readLatestPid(procRoot: string): string | undefined {
  const pid = readKernelRecord(`${procRoot}/loadavg`)?.trim().split(" ")[4];
  return pid === "0" ? undefined : pid;
}

/** Ascending, as the rechecks need it, and so that the youngest relatives of the root come first; readdir sorts as text. */
function listPids(procRoot: string): readonly number[] {
  return readdirSync(procRoot)
    .filter((name) => name.charCodeAt(0) <= 57 && /^\d+$/u.test(name))
    .map(Number)
    .sort((one, other) => one - other);
}

interface ScanOptions extends Omit<ProcessTreeOptions, "rootPid"> {
  readonly rootPid: number;
  readonly root: { readonly pid: number; readonly startTicks: number } | undefined;
}

class Scan {
  readonly live = new Map<number, ProcessStat>();
  readonly others = new Map<number, Other>();
  root: { readonly pid: number; readonly startTicks: number } | undefined;
  readonly #options: ScanOptions;
  readonly #undecided = new Map<number, "first look" | "second look" | "recheck">();
  #environmentReads = 0;

  constructor(options: ScanOptions) {
    this.#options = options;
    this.root = options.root?.pid === options.rootPid ? options.root : undefined;
  }

  addMember(pid: number, startTicks: number | undefined): void {
    const stat = readProcessStat(this.#options.procRoot, pid);
    if (stat === undefined) return;
    if (stat.startTicks === startTicks) this.live.set(pid, stat);
    else this.addNew(pid);
  }

  addNew(pid: number, wasSeen = false): void {
    this.#undecided.set(pid, wasSeen ? "second look" : "first look");
  }

  addSeen(pid: number): void {
    this.#undecided.set(pid, "recheck");
  }

  judge(): void {
    for (const pid of this.#undecided.keys()) this.#judge(pid);
  }

  #judge(pid: number): "member" | Other {
    if (this.live.has(pid)) return "member";
    const other = this.others.get(pid);
    if (other !== undefined) return other;
    const look = this.#undecided.get(pid);
    if (look === undefined) return this.#options.ownPids.includes(pid) ? "own" : "foreign";
    // A guard against two reused pids that name each other as parent.
    this.others.set(pid, "foreign");
    const stat = readProcessStat(this.#options.procRoot, pid);
    if (stat === undefined) {
      this.others.delete(pid);
      return "foreign";
    }
    const verdict = this.#judgeStat(pid, stat, look !== "recheck");
    // In the middle of its exec a process shows no environment: one look is not enough.
    if (verdict !== "member") this.others.set(pid, verdict === "foreign" && look === "first look" ? "new" : verdict);
    else {
      this.others.delete(pid);
      this.live.set(pid, stat);
    }
    return verdict;
  }

  #judgeStat(pid: number, stat: ProcessStat, readsEnvironment: boolean): "member" | Other {
    if (this.#options.ownPids.includes(pid)) return "own";
    if (this.#isRoot(pid, stat)) return "member";
    const parent = this.#judge(stat.parentPid);
    if (parent === "member" || parent === "own") return parent;
    if (!readsEnvironment || this.#options.runId === undefined) return "foreign";
    // Put off to the next scan.
    if (this.#environmentReads >= environmentReadsPerScan) return "new";
    this.#environmentReads += 1;
    return hasRunId(this.#options.procRoot, pid, this.#options.runId) ? "member" : "foreign";
  }

  #isRoot(pid: number, stat: ProcessStat): boolean {
    if (pid !== this.#options.rootPid) return false;
    this.root ??= { pid, startTicks: stat.startTicks };
    return this.root.startTicks === stat.startTicks;
  }
}
