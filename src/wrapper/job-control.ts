import { isStopped } from "./process-state.ts";
import type { SignalRelay, SignalTarget } from "./signals.ts";
import { monotonicMs } from "../util/monotonic.ts";

/** How long a ^Z may need to reach the rest of the group. */
const groupSpreadMs = 5;
/** A command must be stopped this long before the wrapper stops as well: a debugger stops its child for moments only. */
const stoppedForMs = 20;
const overdueMs = 30;

/**
 * Makes the wrapper stop and go on with the command, so that the shell sees one job. The wrapper stops only when the command
 * really has: in an orphaned process group the kernel discards ^Z, and one that catches SIGTSTP may decide to go on.
 * Returns the function that ends it.
 */
export function followStops(target: SignalTarget, relay: SignalRelay): () => void {
  let timer: NodeJS.Timeout | undefined;

  const stopWithCommand = (delayMs: number): void => {
    const armedAt = monotonicMs();
    timer ??= setTimeout(() => {
      timer = undefined;
      if (!isStopped(target.pid)) return;
      // So late only because this process was stopped itself meanwhile: whoever has let it go on may just be about to wake the command.
      if (monotonicMs() - armedAt > delayMs + overdueMs) stopWithCommand(stoppedForMs);
      else process.kill(process.pid, "SIGSTOP");
    }, delayMs);
  };
  const handlers = {
    SIGTSTP: () => {
      setTimeout(() => {
        if (isStopped(target.pid)) stopWithCommand(0);
        else if (!relay.isGroupStopped()) target.kill("SIGTSTP");
      }, groupSpreadMs);
    },
    SIGCONT: () => {
      // A whole group that goes on has the command running within moments; one that is stopped still was not meant.
      setTimeout(() => isStopped(target.pid) && target.kill("SIGCONT"), groupSpreadMs);
    },
    SIGCHLD: () => {
      if (isStopped(target.pid)) stopWithCommand(stoppedForMs);
    },
  };

  const entries = Object.entries(handlers) as [keyof typeof handlers, () => void][];
  for (const [signal, handler] of entries) process.on(signal, handler);
  return () => {
    clearTimeout(timer);
    for (const [signal, handler] of entries) process.off(signal, handler);
  };
}
