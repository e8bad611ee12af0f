import { readOrUndefined } from "../util/proc.ts";

/** Whether the kernel killed a process of this cgroup for lack of memory while the command ran: its own count went up. */
export class OomWatch {
  #before: number | undefined;

  begin(): void {
    this.#before = readCount();
  }

  hasKilled(): boolean {
    const after = readCount();
    return this.#before !== undefined && after !== undefined && after > this.#before;
  }
}

/** `oom_kill` of memory.events (version 2) or memory.oom_control (version 1); `undefined` outside a memory cgroup. */
function readCount(): number | undefined {
  const cgroups = readOrUndefined("/proc/self/cgroup") ?? "";
  const unified = /^0::(.*)$/mu.exec(cgroups)?.[1];
  const memory = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/mu.exec(cgroups)?.[1];
  const text =
    (unified === undefined ? undefined : readOrUndefined(`/sys/fs/cgroup${unified}/memory.events`)) ??
    (memory === undefined ? undefined : readOrUndefined(`/sys/fs/cgroup/memory${memory}/memory.oom_control`));
  const count = /^oom_kill (\d+)$/mu.exec(text ?? "")?.[1];
  return count === undefined ? undefined : Number(count);
}
