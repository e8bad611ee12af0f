import { fstatSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { basename } from "node:path";
import type { CaptureMode } from "../../settings/run-options.ts";
import { hasCode } from "../../util/error-code.ts";
import { isInteractiveProgram } from "./interactive-programs.ts";

/** One stream of output that passes through the wrapper; descriptors 1 and 2 share it where they are the same file. */
export interface CaptureChannel {
  readonly kind: "pipe" | "pty";
  readonly fds: readonly (1 | 2)[];
  readonly target: "pipe" | "terminal" | "socket";
}

export interface CapturePlan {
  readonly channels: readonly CaptureChannel[];
  /** Regular files that the command writes itself, with the offset in bytes from which on it does. */
  readonly files: readonly { readonly path: string; readonly offset: number }[];
  /** Why nothing is captured, where nothing is. */
  readonly reason?: string;
}

type Target = "file" | "pipe" | "terminal" | "socket" | "device" | "closed";

/** Decides for descriptors 1 and 2 how the output of `argv` is captured (process-wrapper.md 4.4). Opens nothing. */
export function planCapture(mode: CaptureMode, argv: readonly string[]): CapturePlan {
  if (mode === "off") return { channels: [], files: [], reason: "turned off" };
  const [out, err] = [inspect(1), inspect(2)];
  const isOneFile = out.stats !== undefined && err.stats !== undefined && isSameFile(out.stats, err.stats);
  const isInteractive = mode === "auto" && isInteractiveProgram(basename(argv[0] ?? ""), argv.slice(1));
  const channels: CaptureChannel[] = [];
  const files: { path: string; offset: number }[] = [];

  for (const { fd, target } of isOneFile ? [out] : [out, err]) {
    if (target === "file") files.push(...positionOf(fd));
    const kind = channelKind(mode, target, isInteractive);
    if (kind !== undefined) channels.push({ ...kind, fds: isOneFile ? [1, 2] : [fd] });
  }
  const reason = isInteractive ? "an interactive program" : "no output that could be read along";
  return { channels, files, ...(channels.length + files.length === 0 ? { reason } : {}) };
}

function channelKind(
  mode: Exclude<CaptureMode, "off">,
  target: Target,
  isInteractive: boolean,
): Pick<CaptureChannel, "kind" | "target"> | undefined {
  if (target === "terminal") return isInteractive ? undefined : { target, kind: mode === "auto" ? "pty" : mode };
  if (target === "pipe" || target === "socket") return { target, kind: mode === "auto" ? "pipe" : mode };
  return undefined;
}

function inspect(fd: 1 | 2): { fd: 1 | 2; target: Target; stats?: Stats } {
  let stats: Stats;
  try {
    stats = fstatSync(fd);
  } catch (error) {
    if (hasCode(error, "EBADF")) return { fd, target: "closed" };
    throw error;
  }
  return { fd, target: targetOf(fd, stats), stats };
}

function targetOf(fd: number, stats: Stats): Target {
  if (stats.isFile()) return "file";
  if (stats.isFIFO()) return "pipe";
  // With a socket for stdin as well, non-blocking output would be non-blocking input for the command: they may be one description.
  if (stats.isSocket()) return isSocketOfStdin(stats) ? "device" : "socket";
  return isTerminalDevice(fd, stats) ? "terminal" : "device";
}

/** Whether one of descriptors 0 to 2 is a terminal. */
export function hasTerminal(): boolean {
  return [0, 1, 2].some((fd) => {
    try {
      return isTerminalDevice(fd, fstatSync(fd));
    } catch (error) {
      if (hasCode(error, "EBADF")) return false;
      throw error;
    }
  });
}

/** Asks node:tty, which takes some ms to load, only about what may be a terminal: not about /dev/null. */
function isTerminalDevice(fd: number, stats: Stats): boolean {
  const memoryDevices = 1;
  const mayBe = stats.isCharacterDevice() && Math.floor(stats.rdev / 256) !== memoryDevices;
  return mayBe && process.getBuiltinModule("node:tty").isatty(fd);
}

function isSocketOfStdin(stats: Stats): boolean {
  try {
    return isSameFile(fstatSync(0), stats);
  } catch (error) {
    if (hasCode(error, "EBADF")) return false;
    throw error;
  }
}

function isSameFile(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino && one.rdev === other.rdev;
}

/** Where the next write to a regular file lands. Empty where that cannot be known. */
function positionOf(fd: 1 | 2): { path: string; offset: number }[] {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, "latin1");
    const position = Number(/^pos:\t(\d+)/mu.exec(info)?.[1] ?? 0);
    const isAppending = (Number.parseInt(/^flags:\t([0-7]+)/mu.exec(info)?.[1] ?? "0", 8) & 0o2000) !== 0;
    return [{ path: readlinkSync(`/proc/self/fd/${fd}`), offset: isAppending ? fstatSync(fd).size : position }];
  } catch (error) {
    if (hasCode(error, "ENOENT", "EACCES", "EPERM")) return [];
    throw error;
  }
}
