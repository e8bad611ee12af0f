import { closeSync, constants, openSync, readSync } from "node:fs";
import { connect } from "node:net";
import { openIpc } from "../util/open-ipc.ts";
import type { WrapperMessage } from "../wire/control-messages.ts";
import { sleep } from "../util/sleep.ts";

export interface EarlyStart {
  /** The process that this one was started beside. */
  readonly starterPid: number;
  readonly name: string;
  readonly password: string;
  /** Where that process leaves word in case that it dies before the two have met. */
  readonly wordFd?: number;
  /** Descriptors that the caller meant for the command alone: held here they would outlive it. */
  readonly foreignFds: readonly number[];
}

/** All that a pipe holds. */
const wordBytes = 64 * 1024;
const retryMs = 2;
/** A wrapper that takes longer has something to wait for, and is not kept waiting by a little more. */
const eagerMs = 500;
const lazyRetryMs = 50;
/** A run that is not recorded at all asks for no recorder. */
const patienceMs = 20_000;

/** What the launcher said: `--early <pid>`, and name and password in the environment, since others can read command lines. */
export function readEarlyStart(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): EarlyStart | undefined {
  const [name, password, fd = ""] = (env["_TRACK_LAUNCH_EARLY"] ?? "").split(" ");
  if (argv[0] !== "--early" || name === undefined || password === undefined) return undefined;
  // They were open when Node started, so none of its own has one of these numbers.
  const foreignFds = (env["_TRACK_LAUNCH_FDS"] ?? "").split(" ").filter((word) => word !== "");
  return {
    starterPid: Number(argv[1]),
    name,
    password,
    ...(fd !== "" && { wordFd: Number(fd) }),
    foreignFds: foreignFds.map(Number),
  };
}

/** What a starter that is dying or dead has left; nothing where it had no run yet. */
export function readEarlyWord({ wordFd }: EarlyStart): readonly WrapperMessage[] {
  if (wordFd === undefined) return [];
  try {
    const fd = openSync(`/proc/self/fd/${wordFd}`, constants.O_RDONLY | constants.O_NONBLOCK);
    const bytes = Buffer.alloc(wordBytes);
    const line = bytes.toString("utf8", 0, readSync(fd, bytes));
    closeSync(fd);
    return line.endsWith("\n") ? (JSON.parse(line) as WrapperMessage[]) : [];
  } catch {
    // It was killed before it had a run, or half-way.
    return [];
  }
}

/**
 * Waits until the process that it was started beside has a run to be recorded, and makes the connection to it the IPC channel.
 * False where that process is gone, or cannot be: then there is nothing to do. `meanwhile` is called once if there is time.
 */
export async function meetStarter(start: EarlyStart, meanwhile: () => void): Promise<boolean> {
  const deadline = performance.now() + patienceMs;
  const isWanted = (): boolean => process.ppid === start.starterPid && performance.now() < deadline;
  for (let tries = 0; isWanted(); tries += 1) {
    const socket = await tryConnect(`\0track-${start.name}`);
    if (socket !== undefined) {
      socket.write(`${start.password} ${process.pid}\n`);
      return openIpc(socket);
    }
    if (tries === 0) meanwhile();
    const delayMs = performance.now() < eagerMs ? retryMs : lazyRetryMs;
    await sleep(delayMs);
  }
  return false;
}

function tryConnect(path: string) {
  return new Promise<ReturnType<typeof connect> | undefined>((resolve) => {
    const socket = connect(path);
    socket.on("connect", () => resolve(socket));
    // Not there yet, as a rule.
    socket.on("error", () => resolve(undefined));
  });
}
