import { hasCode } from "../util/error-code.ts";
import { isProcessAlive, readStat } from "../util/proc.ts";
import { sleep } from "../util/sleep.ts";
import type { JournalHeader, ProcessIdentity } from "../wire/journal-header.ts";
import { findRunProcesses } from "./run-processes.ts";

/** A command that was being started when its wrapper was killed may show up only now. */
const birthLooks = 6;
const birthLookMs = 20;

/** The command of a killed wrapper is killed as well, unless it is meant to survive; either way its end is waited for. */
export async function untilGone(command: ProcessIdentity, survive: boolean): Promise<void> {
  if (!survive) kill(command);
  while (isProcessAlive(command)) await sleep(survive ? 200 : 10);
}

/** The same where the wrapper was killed before it could tell what it has started: the run's processes tell. */
export async function untilRunGone({ runId, wrapper }: JournalHeader, survive: boolean): Promise<void> {
  for (let look = 0; look < birthLooks; look += 1) {
    const found = findRunProcesses(runId, new Set([process.pid, wrapper.pid]));
    const parents = new Set(found.map(({ pid }) => pid));
    const commands = found.filter(({ pid }) => !parents.has(Number(readStat(pid)?.[1])));
    if (commands.length > 0) {
      await Promise.all(commands.map((command) => untilGone(command, survive)));
      return;
    }
    await sleep(birthLookMs);
  }
}

function kill(command: ProcessIdentity): void {
  try {
    if (isProcessAlive(command)) process.kill(command.pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH", "EPERM")) throw error;
  }
}
