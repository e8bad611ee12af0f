import { readOrUndefined } from "../../util/proc.ts";

/** Below this limit on a user's processes, others may well have used them up. */
const ampleProcesses = 1000;
/** Left of the cgroup's limit; Node's thread pool takes four. */
const ampleLeft = 32;

/** Whether Node's thread pool can be started for sure: where the kernel refuses a thread, Node aborts. */
export function hasRoomForThreads(): boolean {
  const soft = /^Max processes +(\S+)/mu.exec(readOrUndefined("/proc/self/limits") ?? "")?.[1] ?? "unlimited";
  if (soft !== "unlimited" && Number(soft) < ampleProcesses) return false;
  const cgroup = /^0::(.*)$/mu.exec(readOrUndefined("/proc/self/cgroup") ?? "")?.[1];
  if (cgroup === undefined) return true;
  const [limit, used] = ["max", "current"].map((name) =>
    readOrUndefined(`/sys/fs/cgroup${cgroup}/pids.${name}`)?.trim(),
  );
  return limit === undefined || limit === "max" || Number(limit) - Number(used ?? 0) > ampleLeft;
}
