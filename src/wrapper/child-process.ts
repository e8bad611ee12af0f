import { spawn, type ChildProcess } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import type { ProcessOutcome } from "../entities/process-outcome.ts";
import type { CaptureMode } from "../settings/run-options.ts";
import { hasCode } from "../util/error-code.ts";
import type { ConsoleSource } from "../wire/control-messages.ts";
import { failOnPurpose } from "../util/test-fault.ts";
import { becomeCommand } from "./become-command.ts";
import { exactWords } from "./exact-bytes.ts";
import { followStops } from "./job-control.ts";
import type { LaunchNotes } from "./launch-notes.ts";
import { launchPrefix } from "./launch-prefix.ts";
import { faultOf, resolveCommand } from "./resolve-command.ts";
import { SignalRelay, type SignalTarget } from "./signals.ts";
import { ConsoleCapture, type SpoolPlace } from "./stdio/console-capture.ts";
import { hasTerminal, planCapture } from "./stdio/plan-capture.ts";
import { coverFd } from "./stdio/stand-in.ts";

export interface CommandPlan {
  readonly argv: readonly string[];
  /** The command's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Absent: the wrapper's own, also when that folder has been deleted. */
  readonly cwd?: string;
  readonly notes: LaunchNotes;
  readonly capture: CaptureMode;
  /** Where captured console output is appended; absent: none is captured, and the command has the caller's own descriptors. */
  readonly spool?: SpoolPlace;
  /** What the command says is passed on also when this process is killed. */
  readonly survive: boolean;
  /** Console output is not captured, or not any longer. `reason` fits behind "console output is no longer captured: ". */
  readonly onCaptureEnd?: (reason: string) => void;
  /** INT, TERM and the like that arrive when the command is gone. */
  readonly onLateSignal?: (signal: NodeJS.Signals) => void;
}

export interface StartedCommand {
  readonly kind: "started";
  readonly pid: number;
  readonly console: ConsoleSource;
  /** Whether one of descriptors 0 to 2 is a terminal; `leaveLike` wants to know. */
  readonly hasTerminal: boolean;
  /** Descriptors that a process started from now on must be kept from: they are not close-on-exec. */
  readonly leakingFds: readonly number[];
  /** Resolves when the command has ended and its output has been passed on. Never rejects. */
  readonly outcome: Promise<ProcessOutcome>;
  /** SIGTERM now, SIGKILL after `graceMs`, unless it has ended by then. */
  terminate(graceMs: number): void;
}

type Stdio = (number | "inherit" | "ignore")[];

export type SpawnFailure = Extract<ProcessOutcome, { kind: "spawn-failed" }>;

/**
 * Starts a command as the shell would have: same process group, same terminal, stdin, limits and signals. From here on signals that
 * come to this process are the command's. Where the machine has too little left for a second process, this one becomes the command.
 */
export async function startCommand(plan: CommandPlan): Promise<StartedCommand | SpawnFailure> {
  const name = plan.argv[0] ?? "";
  const prefix = launchPrefix(plan.notes, name);
  if (name === "" || prefix.length > 0) {
    const found = resolveCommand(name, plan.env["PATH"], plan.cwd ?? "");
    if (typeof found !== "string") return { kind: "spawn-failed", ...found };
  }
  const capturePlan = planCapture(plan.capture, plan.argv);
  const [canaryFd, ...pipeFds] = plan.notes.pipeFds;
  const relay = new SignalRelay({
    ignoredSignals: plan.notes.ignoredSignals,
    ...(canaryFd !== undefined && { pipeFd: canaryFd }),
    onLateSignal: (signal) => {
      capture.giveUp();
      plan.onLateSignal?.(signal);
    },
  });
  const capture = new ConsoleCapture(capturePlan, {
    ...(plan.spool !== undefined && { spool: plan.spool }),
    runId: plan.env["TRACK_RUN_ID"],
    survive: plan.survive,
    pipeFds,
    onCaptureEnd: plan.onCaptureEnd ?? (() => undefined),
  });
  const stdio = stdioFor(plan.notes.inheritedFds, capture);
  failOnPurpose("launch");
  const words = [...prefix, ...(exactWords(plan.argv, plan.env) ?? plan.argv)];
  const child = await spawnChild(words, plan, { stdio, relay });
  if (child instanceof Error) {
    capture.abandon();
    relay.close();
    return failureOf(plan, child);
  }
  return follow(child, relay, capture);
}

function follow(child: ChildProcess & { pid: number }, relay: SignalRelay, capture: ConsoleCapture): StartedCommand {
  const target: SignalTarget = { pid: child.pid, kill: (signal) => void child.kill(signal) };
  let killTimer: NodeJS.Timeout | undefined;
  const outcome = new Promise<ProcessOutcome>((resolve) => {
    child.on("exit", (code, signal) => {
      clearTimeout(killTimer);
      stopFollowing();
      void Promise.all([relay.detach(), capture.finish()]).then(() => resolve(outcomeOf(code, signal)));
    });
  });
  relay.attach(target);
  const stopFollowing = followStops(target, relay);
  capture.start(target);
  return {
    kind: "started",
    pid: child.pid,
    console: capture.source,
    hasTerminal: hasTerminal(),
    leakingFds: capture.leakingFds,
    outcome,
    terminate: (graceMs) => {
      target.kill("SIGTERM");
      // A stopped command would not see it.
      target.kill("SIGCONT");
      killTimer = setTimeout(() => target.kill("SIGKILL"), graceMs);
    },
  };
}

/** The started process, or why there is none. */
async function spawnChild(
  words: readonly string[],
  plan: CommandPlan,
  { stdio, relay }: { readonly stdio: Stdio; readonly relay: SignalRelay },
): Promise<(ChildProcess & { pid: number }) | Error> {
  const [file = "", ...args] = words;
  try {
    const cwd = plan.cwd !== undefined && !isHere(plan.cwd) ? { cwd: plan.cwd } : {};
    const child = relay.aroundSpawn(() => spawn(file, args, { env: plan.env, ...cwd, stdio }));
    const { pid } = child;
    if (pid !== undefined) return Object.assign(child, { pid });
    return await new Promise<Error>((resolve) => child.on("error", resolve));
  } catch (error) {
    if (error instanceof Error && "code" in error) return error;
    throw error;
  }
}

/** Entering the folder that one is in already fails where it has been deleted. */
function isHere(folder: string): boolean {
  try {
    return process.cwd() === folder;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return true;
    throw error;
  }
}

function stdioFor(inheritedFds: readonly number[], capture: ConsoleCapture): Stdio {
  const stdio: Stdio = ["inherit", ...capture.commandFds];
  for (const fd of inheritedFds) if (isCloseOnExec(fd)) coverFd(stdio, fd, fd);
  const leaking = capture.leakingFds;
  if (leaking.length > 0) {
    const nothing = openSync("/dev/null", "r+");
    for (const fd of leaking) coverFd(stdio, fd, nothing);
  }
  return stdio;
}

/** Node marks the caller's low descriptors so at its start; those that it has left alone are inherited anyway. */
function isCloseOnExec(fd: number): boolean {
  try {
    const flags = /^flags:\t([0-7]+)/mu.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"))?.[1] ?? "0";
    return (Number.parseInt(flags, 8) & 0o2000000) !== 0;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

function failureOf(plan: CommandPlan, error: Error): SpawnFailure {
  const name = plan.argv[0] ?? "";
  if (hasCode(error, "EAGAIN", "EMFILE", "ENFILE", "ENOMEM", "EBADF", "EINVAL", "ENOSYS", "EPERM")) becomeCommand(plan);
  const found = resolveCommand(name, plan.env["PATH"], plan.cwd ?? "");
  const code = "code" in error ? String(error.code) : "";
  return { kind: "spawn-failed", ...(typeof found === "string" ? faultOf(name, code) : found) };
}

function outcomeOf(code: number | null, signal: NodeJS.Signals | null): ProcessOutcome {
  if (signal === null) return { kind: "exited", exitCode: code ?? 0 };
  return { kind: "signalled", signal, signalNumber: constants.signals[signal] };
}
