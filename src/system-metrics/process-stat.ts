import { readKernelFile, readKernelRecord } from "./proc-file.ts";

/** What the kernel says about one process; times in clock ticks, which Linux shows to programs as 1/100 s everywhere. */
export interface ProcessStat {
  readonly parentPid: number;
  readonly isZombie: boolean;
  readonly ownTicks: number;
  /** Of the children it has waited for, and of theirs. */
  readonly childTicks: number;
  readonly threads: number;
  /** Identifies the process together with its pid: ticks since boot. */
  readonly startTicks: number;
  readonly rssPages: number;
}

/** Bytes that went to or came from storage, ended and waited-for children included. */
export interface ProcessIo {
  readonly readBytes: number;
  readonly writeBytes: number;
}

export const ticksPerSecond = 100;

/** `undefined` when the process is gone. */
export function readProcessStat(procRoot: string, pid: number): ProcessStat | undefined {
  const text = readKernelRecord(`${procRoot}/${pid}/stat`);
  if (text === undefined) return undefined;
  // The command name may itself hold blanks and brackets.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (index: number): number => Number(fields[index]);
  const state = fields[0];
  return {
    parentPid: field(1),
    isZombie: state === "Z" || state === "X",
    ownTicks: field(11) + field(12),
    childTicks: field(13) + field(14),
    threads: field(17),
    startTicks: field(19),
    rssPages: field(21),
  };
}

/** `undefined` when the process is gone or another user's. */
export function readProcessIo(procRoot: string, pid: number): ProcessIo | undefined {
  const text = readKernelRecord(`${procRoot}/${pid}/io`);
  if (text === undefined) return undefined;
  const read = text.indexOf("\nread_bytes: ");
  const write = text.indexOf("\nwrite_bytes: ", read);
  if (read < 0 || write < 0) return undefined;
  return {
    readBytes: Number.parseInt(text.slice(read + 13, read + 33), 10),
    writeBytes: Number.parseInt(text.slice(write + 14, write + 34), 10),
  };
}

/** Whether a process was started with `TRACK_RUN_ID=<runId>`; false where its environment cannot be read. */
export function hasRunId(procRoot: string, pid: number, runId: string): boolean {
  const environment = readKernelFile(`${procRoot}/${pid}/environ`);
  return environment !== undefined && `\0${environment}`.includes(`\0TRACK_RUN_ID=${runId}\0`);
}

/** Page size of this machine, from the auxiliary vector every process has (entry 6, AT_PAGESZ); 4096 where there is none. */
export function readPageBytes(procRoot: string): number {
  const vector = Buffer.from(readKernelFile(`${procRoot}/self/auxv`) ?? "", "latin1");
  for (let offset = 0; offset + 16 <= vector.length; offset += 16) {
    if (vector.readUInt32LE(offset) === 6) return vector.readUInt32LE(offset + 8);
  }
  return 4096;
}
