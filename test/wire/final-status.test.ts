import { describe, expect, test } from "vitest";
import type { ProcessOutcome } from "../../src/entities/process-outcome.ts";
import { finalStatus } from "../../src/wire/final-status.ts";

const exited = (exitCode: number): ProcessOutcome => ({ kind: "exited", exitCode });
const signalled = (signal: string, signalNumber: number): ProcessOutcome => ({
  kind: "signalled",
  signal,
  signalNumber,
});
const end = (outcome: ProcessOutcome, more: { timedOut?: boolean; oomKilled?: boolean } = {}) => ({
  outcome,
  endTime: 1,
  timedOut: more.timedOut ?? false,
  oomKilled: more.oomKilled ?? false,
});

// cli.md, "Status from the outcome".
const rows: readonly [string, Parameters<typeof finalStatus>[0], string, Record<string, string>][] = [
  ["exit 0", end(exited(0)), "FINISHED", { exit_code: "0" }],
  ["exit 3", end(exited(3)), "FAILED", { exit_code: "3" }],
  ["exit 129", end(exited(129)), "KILLED", { exit_code: "129", signal: "SIGHUP" }],
  ["exit 130", end(exited(130)), "KILLED", { exit_code: "130", signal: "SIGINT" }],
  ["exit 131", end(exited(131)), "KILLED", { exit_code: "131", signal: "SIGQUIT" }],
  ["exit 137", end(exited(137)), "KILLED", { exit_code: "137", signal: "SIGKILL" }],
  ["exit 143", end(exited(143)), "KILLED", { exit_code: "143", signal: "SIGTERM" }],
  ["exit 139", end(exited(139)), "FAILED", { exit_code: "139" }],
  ["SEGV", end(signalled("SIGSEGV", 11)), "FAILED", { exit_code: "139", signal: "SIGSEGV" }],
  ["ABRT", end(signalled("SIGABRT", 6)), "FAILED", { exit_code: "134", signal: "SIGABRT" }],
  ["XFSZ", end(signalled("SIGXFSZ", 25)), "FAILED", { exit_code: "153", signal: "SIGXFSZ" }],
  ["INT", end(signalled("SIGINT", 2)), "KILLED", { exit_code: "130", signal: "SIGINT", end_reason: "user" }],
  ["QUIT", end(signalled("SIGQUIT", 3)), "KILLED", { exit_code: "131", signal: "SIGQUIT", end_reason: "user" }],
  ["TERM", end(signalled("SIGTERM", 15)), "KILLED", { exit_code: "143", signal: "SIGTERM", end_reason: "terminated" }],
  ["HUP", end(signalled("SIGHUP", 1)), "KILLED", { exit_code: "129", signal: "SIGHUP", end_reason: "hangup" }],
  ["KILL", end(signalled("SIGKILL", 9)), "KILLED", { exit_code: "137", signal: "SIGKILL", end_reason: "killed" }],
  ["PIPE", end(signalled("SIGPIPE", 13)), "KILLED", { exit_code: "141", signal: "SIGPIPE", end_reason: "pipe" }],
  ["USR1", end(signalled("SIGUSR1", 10)), "KILLED", { exit_code: "138", signal: "SIGUSR1", end_reason: "signal" }],
  [
    "KILL by OOM",
    end(signalled("SIGKILL", 9), { oomKilled: true }),
    "KILLED",
    { exit_code: "137", signal: "SIGKILL", end_reason: "oom" },
  ],
  [
    "not found",
    end({ kind: "spawn-failed", exitCode: 127, message: "" }),
    "FAILED",
    { exit_code: "127", end_reason: "spawn" },
  ],
  ["timeout, exit 0", end(exited(0), { timedOut: true }), "KILLED", { exit_code: "0", end_reason: "timeout" }],
  [
    "timeout, TERM",
    end(signalled("SIGTERM", 15), { timedOut: true }),
    "KILLED",
    { exit_code: "143", signal: "SIGTERM", end_reason: "timeout" },
  ],
  ["wrapper killed", { missing: "killed" }, "KILLED", { end_reason: "killed" }],
  ["both killed", { missing: "lost" }, "KILLED", { end_reason: "lost" }],
];

describe("the run status of an outcome", () => {
  test.each(rows)("%s", (_, outcome, status, tags) => {
    const final = finalStatus(outcome);
    expect(final.status).toBe(status);
    expect(Object.fromEntries(final.tags.map(({ key, value }) => [key.replace("track.", ""), value]))).toEqual(tags);
  });

  test("only after exit 0, or unseen under --survive, does a status stay that the script set itself", () => {
    expect(finalStatus(end(exited(0))).isScriptStatusKept).toBe(true);
    expect(finalStatus(end(exited(1))).isScriptStatusKept).toBe(false);
    expect(finalStatus({ missing: "lost", isScriptStatusKept: true }).isScriptStatusKept).toBe(true);
    expect(finalStatus(end(exited(0), { timedOut: true })).isScriptStatusKept).toBe(false);
  });
});
