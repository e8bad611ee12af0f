import * as childProcess from "node:child_process";
import type { Socket } from "node:net";

interface StreamHandle {
  readonly fd: number;
  reading: boolean;
  readStop(): number;
}

/** What Node's own start calls with NODE_CHANNEL_FD; it has no public name. */
const { _forkChild: forkChild } = childProcess as { _forkChild?: (fd: number, serialization: "json") => void };

const kept: Socket[] = [];

/**
 * Makes a connected Unix socket this process's IPC channel (`process.send`, `message`, `disconnect`), which carries handles; a
 * plain socket does not. False where this Node cannot; the socket is then as it was.
 */
export function openIpc(socket: Socket): boolean {
  const { _handle: handle } = socket as Socket & { _handle?: StreamHandle };
  if (forkChild === undefined || handle === undefined || !(handle.fd >= 0) || process.connected) return false;
  handle.readStop();
  handle.reading = false;
  forkChild(handle.fd, "json");
  // Collected as garbage it would close the descriptor that is the channel's now.
  kept.push(socket);
  return true;
}
