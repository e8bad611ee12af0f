import { closeSync, readlinkSync } from "node:fs";
import { Server, Socket } from "node:net";
import type { RecorderMessage, WrapperMessage } from "../wire/control-messages.ts";
import { armFaults } from "../util/test-fault.ts";
import { Recorder } from "./recorder.ts";

/**
 * The recorder's program: started detached by whoever has a run, told what happens over Node's IPC channel. It is ended by
 * nothing but its own work: terminal and scheduler signals are for the command.
 */
function main(): void {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) process.on(signal, () => {});
  closeForeignDescriptors(process.argv.slice(2));
  delete process.env["NODE_COMPILE_CACHE"];
  armFaults(process.env["TRACK_TEST_FAULT"]);
  const recorder = new Recorder({
    env: process.env,
    tell: (message: RecorderMessage) => {
      // The wrapper may be gone by now; the journal has everything all the same.
      if (process.connected) process.send?.(message, undefined, {}, () => {});
    },
    leave: (exitCode) => process.exit(exitCode),
  });
  process.on("message", (message: WrapperMessage, handle: unknown) => {
    recorder.hear(message, handle instanceof Server || handle instanceof Socket ? handle : undefined);
  });
  process.on("disconnect", () => recorder.wrapperGone());
  process.on("uncaughtException", (error) => recorder.crash(error));
  process.on("unhandledRejection", (error) => recorder.crash(error));
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

main();
