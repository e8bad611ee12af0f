import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { hasCode } from "../util/error-code.ts";
import { listenNow } from "../util/listen-now.ts";
import { openIpc } from "../util/open-ipc.ts";
import { deathPipeFd, type RecorderMessage, type WrapperMessage } from "../wire/control-messages.ts";

/** A recorder that can be spoken to. */
export interface RecorderChannel {
  readonly pid: number | undefined;
  /** Says it, with a handle where one goes along; nothing happens once the recorder is gone. */
  send(message: WrapperMessage, handle?: Server | Socket): void;
  kill(): void;
}

export interface RecorderListener {
  onMessage(message: RecorderMessage): void;
  /** The recorder is gone; called once. */
  onLost(): void;
}

export interface RecorderStart {
  readonly env: Readonly<Record<string, string>>;
  /** Descriptors that only the command may inherit, as `fd` and link text. */
  readonly foreignDescriptors: readonly (readonly [fd: number, link: string])[];
  /** Descriptor `deathPipeFd` of the recorder ends with this process, and not before. */
  readonly isDeathWatched?: boolean;
}

/** Starts a recorder in a session of its own. Throws where no process can be had. */
export function spawnRecorder(start: RecorderStart, listener: RecorderListener): RecorderChannel {
  const foreign = start.foreignDescriptors.map(([fd, link]) => `${fd}=${link}`);
  const child: ChildProcess = spawn(process.execPath, [...nodeArguments, ...recorderEntry(), ...foreign], {
    detached: true,
    cwd: "/",
    stdio: ["ignore", "ignore", "ignore", "ipc", ...(start.isDeathWatched === true ? ["pipe" as const] : [])],
    env: { ...start.env, ...compileCache },
  });
  const deathPipe = child.stdio[deathPipeFd] as Socket | undefined;
  deathPipe?.on("error", () => {});
  deathPipe?.unref();
  let isLost = false;
  const lose = (): void => {
    if (isLost) return;
    isLost = true;
    listener.onLost();
  };
  child.on("message", (message) => listener.onMessage(message as RecorderMessage));
  child.on("error", lose);
  child.on("exit", lose);
  child.unref();
  // What a program of its own has left to do keeps it alive, its recorder does not.
  child.channel?.unref();
  return {
    pid: child.pid,
    // A channel that is closed by now belongs to a recorder that died: its successor is told everything again.
    send: (message, handle) => void (child.connected && child.send(message, handle, { keepOpen: true }, () => {})),
    kill: () => void child.kill("SIGKILL"),
  };
}

export interface EarlyRecorderOffer {
  /** What the launcher told the recorder that it has started: name of the meeting place and password. */
  readonly key: EarlyKey;
  readonly env: Readonly<Record<string, string>>;
}

export interface EarlyKey {
  readonly name: string;
  readonly password: string;
}

/**
 * Meets the recorder that the launcher has started beside this process (architecture.md), so that both boot at once. Resolves
 * to `undefined` where none comes within `timeoutMs`.
 */
export function meetEarlyRecorder(
  { key, env }: EarlyRecorderOffer,
  listener: RecorderListener,
  timeoutMs: number,
): Promise<RecorderChannel | undefined> {
  return new Promise((resolve) => {
    // Not to be guessed, but to be read in /proc/net/unix by anyone: who comes must know the password as well.
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      hearPassword(socket, key.password, (pid) => {
        settle(adopt(socket, { pid, env }, listener));
      });
    });
    const settle = (channel: RecorderChannel | undefined): void => {
      clearTimeout(timer);
      server.close();
      resolve(channel);
    };
    const timer = setTimeout(() => settle(undefined), timeoutMs);
    server.on("error", () => settle(undefined));
    listenNow(server, { path: `\0track-${key.name}` });
    server.unref();
  });
}

/** Reads `<password> <pid>`; whoever says anything else is shown out. */
function hearPassword(socket: Socket, password: string, onKnown: (pid: number) => void): void {
  socket.on("error", () => socket.destroy());
  socket.once("data", (data) => {
    socket.pause();
    const [said, pid] = data.toString("latin1").trim().split(" ");
    if (said === password && Number(pid) > 1) onKnown(Number(pid));
    else socket.destroy();
  });
  socket.resume();
}

function adopt(
  socket: Socket,
  { pid, env }: { readonly pid: number; readonly env: Readonly<Record<string, string>> },
  listener: RecorderListener,
): RecorderChannel | undefined {
  if (!openIpc(socket)) return undefined;
  process.on("message", (message) => listener.onMessage(message as RecorderMessage));
  onChannelEnd(() => listener.onLost());
  process.channel?.unref();
  const send: RecorderChannel["send"] = (message, handle) =>
    void (process.connected && process.send?.(message, handle, { keepOpen: true }, () => {}));
  send({ type: "environment", env });
  return { pid, send, kill: () => kill(pid) };
}

/** Node emits `disconnect` only once every handle that was sent has been taken, which a recorder that was killed never does. */
function onChannelEnd(lose: () => void): void {
  const disconnect = process.disconnect.bind(process);
  process.disconnect = () => {
    disconnect();
    lose();
  };
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH", "EPERM")) throw error;
  }
}

/**
 * V8's own sizes leave 240 MB resident after a million points, these 140 and no less speed. Beside the 64 MiB that may wait for
 * a stuck disk there is room for all else.
 */
const nodeArguments = ["--max-semi-space-size=4", "--max-old-space-size=128"];

const isBundled = !import.meta.filename.endsWith(".ts");

/** Compiled code of what the recorder loads later lies where the launcher has the wrapper's; recorder-main keeps the variable to itself. */
const compileCache = isBundled ? { NODE_COMPILE_CACHE: join(import.meta.dirname, ".cache") } : {};

/** The recorder's program lies beside this one, and what starts it from compiled code; or it is the source of a checkout. */
function recorderEntry(): readonly string[] {
  if (!isBundled) return [join(import.meta.dirname, "../recorder/recorder-main.ts")];
  return ["node-boot.cjs", "recorder.cjs"].map((name) => join(import.meta.dirname, name));
}
