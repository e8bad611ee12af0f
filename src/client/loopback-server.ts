import { createServer, type Server, type Socket } from "node:net";
import { randomHex } from "../util/ids.ts";
import { listenNow } from "../util/listen-now.ts";

const loopback = "127.0.0.1";
const tokenBytes = 16;

/** Where the command's MLflow clients are served by the recorder: a port of this machine only, and what they must know to be let in. */
export interface LoopbackServer {
  readonly port: number;
  readonly token: string;
  readonly server: Server;
  /** Who gets the connections that this process's copy of the server accepts; those accepted before come at once. */
  handTo(receiver: (socket: Socket) => void): void;
  /** Stops listening, so that clients fail at once. */
  close(): void;
}

/**
 * Binds a free port before the command starts, so that it may connect from its first instruction: at once where this Node allows it.
 * Throws or rejects where there is none.
 */
export function bindLoopbackServer(): LoopbackServer | Promise<LoopbackServer> {
  // Left paused: what a client sent before the recorder is up must still be there for the recorder to read.
  const early: Socket[] = [];
  let receive = (socket: Socket): void => void early.push(socket);
  const server = createServer({ pauseOnConnect: true }, (socket) => receive(socket));
  server.on("error", () => {});
  server.unref();
  const opened = (): LoopbackServer => ({
    port: portOf(server),
    token: randomHex(tokenBytes),
    server,
    handTo: (receiver) => {
      receive = receiver;
      for (const socket of early.splice(0)) receiver(socket);
    },
    close: () => {
      server.close();
      for (const socket of early.splice(0)) socket.destroy();
    },
  });
  const isPromised = listenNow(server, { host: loopback, port: 0 });
  if (server.listening) return opened();
  if (!isPromised) throw new Error(`no port of ${loopback} is to be had`);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => resolve(opened()));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
