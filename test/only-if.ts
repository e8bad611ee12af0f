import { relative } from "node:path";
import { describe, expect, test } from "vitest";

/** The full tests: soaks, every version, what takes long. */
export const isFull = (process.env["TRACK_TEST_FULL"] ?? "") !== "";

/** Why a test that only the full ones have is skipped. */
export const onlyFull = "only the full tests have it (TRACK_TEST_FULL)";

const told = new Set<string>();

/** `test` where it is possible; else one that is skipped, and why is told, once a file. */
export function testIf(isPossible: boolean, reason: string): ReturnType<typeof test.runIf> {
  tell(isPossible, reason);
  return test.runIf(isPossible);
}

/** The same for a group. */
export function describeIf(isPossible: boolean, reason: string): ReturnType<typeof describe.runIf> {
  tell(isPossible, reason);
  return describe.runIf(isPossible);
}

function tell(isPossible: boolean, reason: string): void {
  if (isPossible || told.has(reason)) return;
  told.add(reason);
  const file = expect.getState().testPath ?? "";
  process.stderr.write(`skipped in ${relative(process.cwd(), file)}: ${reason}\n`);
}
