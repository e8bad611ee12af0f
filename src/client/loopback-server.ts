import { createServer, type Server, type Socket } from "node:net";
import { randomHex } from "../util/ids.ts";

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

/** Binds a free port before the command starts, so that it may connect from its first instruction. Rejects where there is none. */
export async function bindLoopbackServer(): Promise<LoopbackServer> {
  // Left paused: what a client sent before the recorder is up must still be there for the recorder to read.
  const early: Socket[] = [];
  let receive = (socket: Socket): void => void early.push(socket);
  const server = createServer({ pauseOnConnect: true }, (socket) => receive(socket));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, loopback, resolve);
  });
  server.on("error", () => {});
  server.unref();
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
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
  };
}
