import { hasCode } from "../util/error-code.ts";
import { isProcessAlive } from "../util/proc.ts";
import { sleep } from "../util/sleep.ts";
import type { ProcessIdentity } from "../wire/journal-header.ts";

/** The command of a killed wrapper is killed as well, unless it is meant to survive; either way its end is waited for. */
export async function untilGone(command: ProcessIdentity, survive: boolean): Promise<void> {
  if (!survive) kill(command);
  while (isProcessAlive(command)) await sleep(survive ? 200 : 10);
}

function kill(command: ProcessIdentity): void {
  try {
    if (isProcessAlive(command)) process.kill(command.pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH", "EPERM")) throw error;
  }
}
