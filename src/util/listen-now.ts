import type { Server } from "node:net";

type Address =
  | { readonly path: string }
  /** A numeric address and a port, 0 for a free one. */
  | { readonly host: string; readonly port: number };

interface BareServer {
  /** Node's own name for what `listen` ends in. */
  _listen2?: (address: string, port: number, addressType: number, backlog: number) => void;
}

const backlog = 511;

/**
 * Listens before it returns, where this Node allows it, and tells so by `server.listening`; true where it is still to come. A fault
 * is the event `error` either way. `listen` itself would first load name resolution and the cluster's code, which a command waits for.
 */
export function listenNow(server: Server, address: Address): boolean {
  const bare = server as Server & BareServer;
  if (typeof bare._listen2 !== "function") {
    server.listen(address);
    return true;
  }
  if ("path" in address) bare._listen2(address.path, -1, -1, backlog);
  else bare._listen2(address.host, address.port, 4, backlog);
  return false;
}
