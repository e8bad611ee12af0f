import { closeSync, readlinkSync } from "node:fs";
import { Server, Socket } from "node:net";
import type { RecorderMessage, WrapperMessage } from "../wire/control-messages.ts";
import { sleep } from "../util/sleep.ts";
import { armFaults } from "../util/test-fault.ts";
import { type EarlyStart, meetStarter, readEarlyStart, readEarlyWord } from "./early-start.ts";
import { Recorder } from "./recorder.ts";
import { warmUpSqlite } from "../store/sqlite/warm-up.ts";

/**
 * The recorder's program: started detached by whoever has a run, told what happens over Node's IPC channel. It is ended by
 * nothing but its own work: terminal and scheduler signals are for the command.
 */
async function main(): Promise<void> {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) process.on(signal, () => {});
  const early = readEarlyStart(process.argv.slice(2), process.env);
  if (early === undefined) closeForeignDescriptors(process.argv.slice(2));
  const isMet = early === undefined || (await meet(early));
  delete process.env["NODE_COMPILE_CACHE"];
  process.on("message", hear);
  process.on("disconnect", () => starterIsGone(early));
  process.on("uncaughtException", (error) => theRecorder().crash(error));
  process.on("unhandledRejection", (error) => theRecorder().crash(error));
  if (isMet) return;
  // Its descriptors are closed a moment before it has no children any more. One that lives has another recorder.
  await sleep(deathMs);
  if (early?.starterPid === process.ppid) process.exit(0);
  starterIsGone(early);
}

function meet(early: EarlyStart): Promise<boolean> {
  for (const fd of early.foreignFds) closeQuietly(fd);
  return meetStarter(early, warmUpSqlite);
}

/** Killed before it has said anything by the channel, it may still have left word of its run. */
function starterIsGone(early: EarlyStart | undefined): void {
  if (!hasRun && early !== undefined) for (const message of readEarlyWord(early)) hear(message);
  theRecorder().wrapperGone();
}

const deathMs = 20;

let recorder: Recorder | undefined;
let hasRun = false;

function theRecorder(): Recorder {
  recorder ??= createRecorder();
  return recorder;
}

function hear(message: WrapperMessage, handle?: unknown): void {
  if (message.type === "environment") replaceEnvironment(message.env);
  hasRun ||= message.type === "hello";
  theRecorder().hear(message, handle instanceof Server || handle instanceof Socket ? handle : undefined);
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Closed already: all the better.
  }
}

function createRecorder(): Recorder {
  armFaults(process.env["TRACK_TEST_FAULT"]);
  return new Recorder({
    env: process.env,
    tell: (message: RecorderMessage) => {
      // The wrapper may be gone by now; the journal has everything all the same.
      if (process.connected) process.send?.(message, undefined, {}, () => {});
    },
    leave: (exitCode) => process.exit(exitCode),
  });
}

/** The launcher has put aside what would change Node; what the recorder starts is to see what the caller gave. */
function replaceEnvironment(env: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
}

/** Descriptors that the caller meant for the command alone (`3<file`, `<(...)`): held here they would outlive it. */
function closeForeignDescriptors(described: readonly string[]): void {
  for (const text of described) {
    const fd = Number(text.slice(0, text.indexOf("=")));
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) === text.slice(text.indexOf("=") + 1)) closeSync(fd);
    } catch {
      // Not inherited: nothing to close.
    }
  }
}

void main();
