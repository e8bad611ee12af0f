import { describe, expect, test } from "vitest";
import { parseOutcome } from "../../src/recorder/program-death.ts";

const program = { pid: 7, startTicks: 4711 };

/** As /proc/<pid>/stat has it while a process ends. */
const stat = (status: number, startTicks = program.startTicks): string =>
  `7 (a ) Z\n b) R ${[...Array.from({ length: 18 }, () => 0), startTicks, ...Array.from({ length: 29 }, () => 0), status].join(" ")}\n`;

describe("parseOutcome", () => {
  test.for([
    [11, { kind: "signalled", signal: "SIGSEGV", signalNumber: 11 }],
    // With a core file.
    [134, { kind: "signalled", signal: "SIGABRT", signalNumber: 6 }],
    [9, { kind: "signalled", signal: "SIGKILL", signalNumber: 9 }],
    [40, { kind: "signalled", signal: "SIG40", signalNumber: 40 }],
    [3 << 8, { kind: "exited", exitCode: 3 }],
    // An exit by 0, or one that is not told to us.
    [0, undefined],
  ] as const)("wait status %i", ([status, outcome]) => {
    expect(parseOutcome(stat(status), program)).toEqual(outcome);
  });

  test("another process of the same pid, or nothing at all, says nothing", () => {
    expect(parseOutcome(stat(11, 4712), program)).toBeUndefined();
    expect(parseOutcome("", program)).toBeUndefined();
  });
});
