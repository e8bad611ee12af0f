// A minimal `track`: wraps its arguments, or those of `run --`, with the wrapper's own parts and nothing else.
// WRAP_SPOOL=<file>: capture into that file; WRAP_CAPTURE=<mode>; WRAP_TIMEOUT=<ms>, WRAP_GRACE=<ms>; WRAP_INFO=<file>: facts as JSON.
import { writeFileSync } from "node:fs";
import { startCommand } from "../../src/wrapper/child-process.ts";
import { readLaunchNotes } from "../../src/wrapper/launch-notes.ts";
import { leaveLike } from "../../src/wrapper/leave.ts";
import type { CaptureMode } from "../../src/settings/run-options.ts";

const words = process.argv.slice(2);
// How the launcher asks whether Node comes up at all.
if (words[0] === "--version") process.exit(0);
const argv = words[0] === "run" && words[1] === "--" ? words.slice(2) : words;

const notes = readLaunchNotes(process.env);
const env = { ...notes.environment };
const own: Record<string, string | undefined> = {};
for (const name of Object.keys(env)) {
  if (!name.startsWith("WRAP_")) continue;
  own[name] = env[name];
  delete env[name];
}

const started = await startCommand({
  argv,
  env,
  notes,
  capture: (own["WRAP_CAPTURE"] ?? "auto") as CaptureMode,
  ...(own["WRAP_SPOOL"] === undefined ? {} : { spoolPath: own["WRAP_SPOOL"] }),
  onCaptureEnd: (reason) => process.stderr.write(`track: console output is no longer captured: ${reason}\n`),
});
if (started.kind === "spawn-failed") {
  process.stderr.write(`track: ${started.message}\n`);
  process.exit(started.exitCode);
}
if (own["WRAP_INFO"] !== undefined) {
  writeFileSync(own["WRAP_INFO"], JSON.stringify({ pid: started.pid, wrapper: process.pid, console: started.console }));
}
if (own["WRAP_TIMEOUT"] !== undefined) {
  setTimeout(() => started.terminate(Number(own["WRAP_GRACE"] ?? 1000)), Number(own["WRAP_TIMEOUT"])).unref();
}
const outcome = await started.outcome;
leaveLike(outcome, { exit: (code) => process.exit(code), hasTerminal: started.hasTerminal });
