import { closeSync, constants, openSync, writeSync } from "node:fs";
import type { WrapperMessage } from "../wire/control-messages.ts";

/** What an empty pipe takes in one piece, with some room. */
const pipeBytes = 60_000;

/**
 * Leaves word for a recorder that boots beside this process, in a pipe of the launcher's that both have: it is read only where
 * this process dies before the two have met, so that even then somebody ends the command and its run.
 */
export function leaveEarlyWord(pipeFd: number, messages: readonly WrapperMessage[]): void {
  const line = Buffer.from(`${JSON.stringify(messages)}\n`);
  try {
    if (line.length > pipeBytes) return;
    const fd = openSync(`/proc/self/fd/${pipeFd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(fd, line);
    closeSync(fd);
  } catch {
    // No descriptors left, or nobody reads: as where there is no such recorder, a later command ends the run.
  } finally {
    closeSync(pipeFd);
  }
}
