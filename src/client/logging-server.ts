import { chmodSync, lstatSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { messageOf } from "../util/error-code.ts";
import { listenNow } from "../util/listen-now.ts";

/** `sun_path` ends at 107 bytes; some clients need a little room. */
const maxPathBytes = 100;

export interface LoggingServer {
  readonly path: string;
  readonly server: Server;
  /** Who gets the connections that this process's copy of the server accepts; those accepted before come at once. */
  handTo(receiver: (socket: Socket) => void): void;
  /** Stops listening and removes the socket and its folder. */
  close(): void;
}

/**
 * Binds the logging socket in a fresh 0700 folder below the first usable base, so that the command may connect from
 * its first instruction; connections are left unread for the recorder. `undefined` with the reasons when no base works.
 */
export function bindLoggingServer(
  bases: readonly string[],
): LoggingServer | { readonly server: undefined; readonly reasons: readonly string[] } {
  const reasons: string[] = [];
  for (const base of bases) {
    try {
      return bindIn(base);
    } catch (error) {
      // No socket is a fault of the surroundings: the next base is tried, and the command runs without one.
      reasons.push(messageOf(error));
    }
  }
  return { server: undefined, reasons };
}

function bindIn(base: string): LoggingServer {
  const folder = mkdtempSync(join(base, "track-"));
  const path = join(folder, "s");
  if (Buffer.byteLength(path) > maxPathBytes) {
    rmSync(folder, { recursive: true });
    throw new Error(`socket path over ${maxPathBytes} bytes: ${path}`);
  }
  // Left paused: what a client sent before the recorder is up must still be there for the recorder to read.
  const early: Socket[] = [];
  let receive = (socket: Socket): void => void early.push(socket);
  const server = createServer({ pauseOnConnect: true }, (socket) => receive(socket));
  server.on("error", () => {});
  listenNow(server, { path });
  if (!isSocket(path)) {
    // Empty, and rmSync would want one of the descriptors that may be what is lacking.
    rmdirSync(folder);
    throw new Error(`cannot listen on ${path}`);
  }
  chmodSync(path, 0o600);
  server.unref();
  return {
    path,
    server,
    handTo: (receiver) => {
      receive = receiver;
      for (const socket of early.splice(0)) receiver(socket);
    },
    close: () => closeServer(server, folder),
  };
}

/** `listen` on a path binds at once; only its events come later. */
function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function closeServer(server: Server, folder: string): void {
  server.close();
  rmSync(folder, { recursive: true, force: true });
}
