import type { Server, Socket } from "node:net";
import { failOnPurpose } from "../../util/test-fault.ts";
import type { Recording } from "../recording.ts";
import type { ServedEndpoint } from "./endpoint-server.ts";

export interface EndpointOptions {
  readonly recording: Recording;
  /** The journal folder. */
  readonly folder: string;
  /** Closed with the endpoint, so that clients fail at once. */
  readonly server: Server;
  /** Asked for with every request. */
  readonly token: string;
}

const settleWaitMs = 2000;
/** A command of a moment does not pay for it. */
const loadAfterMs = 1000;

const loadServer = async () => await import("./endpoint-server.ts");

/** MLflow's API on the wrapper's loopback port. What serves it is loaded when the first client comes. */
export class Endpoint {
  readonly #options: EndpointOptions;
  #served: Promise<ServedEndpoint> | undefined;

  constructor(options: EndpointOptions) {
    this.#options = options;
    // An upgrade of track during a long run must not take away what the first client needs; what fails here fails again there.
    setTimeout(() => void loadServer().catch(() => {}), loadAfterMs).unref();
  }

  /** A connection of a client, which may have sent something already. */
  accept(socket: Socket): void {
    socket.on("error", () => {});
    const port = socket.localPort ?? 0;
    this.#served ??= this.#serve(port);
    this.#served.then(
      (served) => served.accept(socket),
      (error: unknown) => {
        // Without the program there is nobody to answer: the client is told at once.
        this.#options.recording.notice("endpoint", `MLflow clients cannot be served: ${String(error)}`);
        socket.destroy();
      },
    );
  }

  async #serve(port: number): Promise<ServedEndpoint> {
    const { serveEndpoint } = await loadServer();
    failOnPurpose("endpoint");
    return serveEndpoint({ ...this.#options, port });
  }

  /** Requests that are under way have been answered, and nothing more has come for `idleMs`; 2 s at most. */
  async settle(idleMs: number): Promise<void> {
    await (await this.#served?.catch(() => undefined))?.settle(idleMs, settleWaitMs);
  }

  async close(): Promise<void> {
    this.#options.server.close();
    (await this.#served?.catch(() => undefined))?.close();
  }
}
