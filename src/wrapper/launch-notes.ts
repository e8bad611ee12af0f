import { closeSync, readlinkSync, readSync } from "node:fs";
import { hasCode } from "../util/error-code.ts";

/** What bin/track saw before Node started and changed it. Without the launcher: an ordinary caller is assumed. */
export interface LaunchNotes {
  /** The caller's environment as the command must see it, but for what the wrapper adds on purpose. */
  readonly environment: Readonly<Record<string, string>>;
  /** Numbers of the signals that were ignored, and of those that were blocked; real-time signals are not noted. */
  readonly ignoredSignals: readonly number[];
  readonly blockedSignals: readonly number[];
  /** The soft limit of open files, where Node has raised it. */
  readonly softOpenFiles?: number;
  /** The caller's descriptors above 2. */
  readonly inheritedFds: readonly number[];
  /** Name and password of the meeting with a recorder that the launcher has started, and a pipe that both have. */
  readonly earlyRecorder?: { readonly name: string; readonly password: string; readonly wordFd?: number };
  /** Descriptors of empty pipes that the launcher made for the console capture. */
  readonly pipeFds: readonly number[];
}

const prefix = "_TRACK_LAUNCH_";
const asidePrefix = `${prefix}ASIDE_`;

/** Variables that a shell sets for itself; the launcher notes the caller's. */
const shellVariables = ["PWD", "OLDPWD", "SHLVL", "_", "PPID", "OPTIND", "IFS"];

/** Reads the launcher's notes from its variables; a note that makes no sense counts as not given. */
export function readLaunchNotes(env: Readonly<Record<string, string | undefined>>): LaunchNotes {
  const [blocked, ignored] = wordsOf(env[`${prefix}SIGNALS`]);
  const softOpenFiles = Number(env[`${prefix}NOFILE`] ?? Number.NaN);
  return {
    environment: readEnvironment(env),
    ignoredSignals: signalsOf(ignored),
    blockedSignals: signalsOf(blocked),
    ...(Number.isSafeInteger(softOpenFiles) ? { softOpenFiles } : {}),
    inheritedFds: wordsOf(env[`${prefix}FDS`]).map(Number).filter(Number.isSafeInteger),
    ...earlyRecorderOf(wordsOf(env[`${prefix}EARLY`])),
    pipeFds: wordsOf(env[`${prefix}PIPES`]).map(Number).filter(isPipe),
  };
}

function readEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || (name === "NODE_COMPILE_CACHE" && `${prefix}CACHE` in env)) continue;
    if (!name.startsWith(prefix)) environment[name] = value;
    else if (name.startsWith(asidePrefix)) environment[name.slice(asidePrefix.length)] = value;
  }
  const noted = notedEntries(env);
  if (noted === undefined) return environment;
  for (const name of shellVariables) delete environment[name];
  for (const entry of noted) {
    const end = entry.indexOf("=", 1);
    if (end > 0) environment[entry.slice(0, end)] = entry.slice(end + 1);
  }
  return environment;
}

/** What the launcher has looked up, beside this process or before it. */
function notedEntries(env: Readonly<Record<string, string | undefined>>): string[] | undefined {
  const hex = env[`${prefix}ENVIRONMENT`];
  const fd = Number(env[`${prefix}ODD`] ?? Number.NaN);
  const bytes = hex === undefined ? readNotes(fd) : Buffer.from(hex.replaceAll(/\s/gu, ""), "hex");
  const entries = bytes?.toString().split("\0");
  return entries?.pop() === "." ? entries : undefined;
}

/** The writer may be still on its way to the pipe, as a rule it has ended long ago. */
function readNotes(fd: number): Buffer | undefined {
  if (!isPipe(fd)) return undefined;
  const deadline = performance.now() + 2000;
  const chunks: Buffer[] = [];
  const chunk = Buffer.allocUnsafe(8192);
  while (chunks.at(-1)?.at(-1) !== 46 && performance.now() < deadline) {
    const size = readSync(fd, chunk);
    if (size === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    else chunks.push(Buffer.from(chunk.subarray(0, size)));
  }
  closeSync(fd);
  return Buffer.concat(chunks);
}

function earlyRecorderOf([name, password, fd]: readonly string[]): Pick<LaunchNotes, "earlyRecorder"> {
  if (name === undefined || password === undefined) return {};
  const wordFd = Number(fd ?? Number.NaN);
  return { earlyRecorder: { name, password, ...(isPipe(wordFd) && { wordFd }) } };
}

function wordsOf(text: string | undefined): string[] {
  return (text ?? "").split(" ").filter((word) => word !== "");
}

/** The kernel writes the first 31 signals as a decimal bit mask. */
function signalsOf(mask: string | undefined): number[] {
  const bits = Number(mask ?? 0);
  const signals = [];
  for (let signal = 1; signal < 32; signal += 1) {
    if (Math.floor(bits / 2 ** (signal - 1)) % 2 === 1) signals.push(signal);
  }
  return signals;
}

function isPipe(fd: number): boolean {
  try {
    return Number.isSafeInteger(fd) && readlinkSync(`/proc/self/fd/${fd}`).startsWith("pipe:");
  } catch (error) {
    if (hasCode(error, "ENOENT", "EACCES", "EPERM", "EINVAL")) return false;
    throw error;
  }
}
