import { readLink } from "./proc.ts";

/** With their link texts, so that the recorder closes the very same things and nothing of its own. */
export function describeDescriptors(fds: readonly number[]): readonly (readonly [number, string])[] {
  return fds.flatMap((fd) => {
    const link = readLink(`/proc/self/fd/${fd}`);
    return link === undefined ? [] : [[fd, link] as const];
  });
}
