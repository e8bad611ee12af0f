import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export type Fault =
  /** Nobody listens. */
  | { readonly kind: "refuse" }
  /** The request is taken and never answered. */
  | { readonly kind: "hang" }
  /** The connection is reset once the request has come; the server hears nothing of it. */
  | { readonly kind: "reset" }
  /** The server does what it is asked for; its answer is cut after so many bytes, 0 for all of it. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** Answered by the proxy itself. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** Both ways so late. */
  | { readonly kind: "slow"; readonly delayMs: number }
  /** Kept back until `release`; the client sees a hanging server. */
  | { readonly kind: "hold" };

/** How long a request may pause before it counts as come whole. */
const quietMs = 15;

/** A TCP proxy before a server on 127.0.0.1 that does what networks and overloaded servers do. */
export class FaultProxy implements AsyncDisposable {
  readonly #upstreamPort: number;
  readonly #sockets = new Set<Socket>();
  readonly #held: (() => void)[] = [];
  #server: Server | undefined;
  #port = 0;
  #faults: Fault[] = [];
  #always: Fault | undefined;
  /** Requests that met a fault. */
  faultsMet = 0;

  private constructor(upstreamPort: number) {
    this.#upstreamPort = upstreamPort;
  }

  static async start(upstreamUrl: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(Number(new URL(upstreamUrl).port));
    await proxy.#listen();
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Requests that are kept back. */
  get heldRequests(): number {
    return this.#held.length;
  }

  /** The next requests meet these, one each; `refuse` is only for `always`. */
  next(...faults: readonly Fault[]): void {
    this.#faults.push(...faults);
  }

  /** Every request meets it until the next call; without a fault all is well again. Open connections are lost. */
  async always(fault?: Fault): Promise<void> {
    this.#faults = [];
    this.#always = fault;
    for (const socket of this.#sockets) socket.destroy();
    if (fault?.kind === "refuse") await this.#close();
    else if (this.#server === undefined) await this.#listen();
  }

  /** Requests that were kept back go on to the server, though their client may be gone. */
  release(): void {
    for (const send of this.#held.splice(0)) send();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await this.#close();
  }

  async #listen(): Promise<void> {
    this.#server = createServer((client) => this.#serve(client)).listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    this.#port = address.port;
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.close();
    await once(server, "close");
  }

  #serve(client: Socket): void {
    this.#track(client);
    let upstream: Socket | undefined;
    const chunks: Buffer[] = [];
    let timer: NodeJS.Timeout | undefined;
    let fault: Fault | undefined;
    let isInRequest = false;
    client.on("data", (chunk: Buffer) => {
      if (!isInRequest) {
        isInRequest = true;
        fault = this.#faults.shift() ?? this.#always;
        if (fault !== undefined) this.faultsMet += 1;
      }
      chunks.push(chunk);
      clearTimeout(timer);
      timer = setTimeout(() => {
        isInRequest = false;
        upstream = this.#answer(client, upstream, Buffer.concat(chunks.splice(0)), fault);
      }, quietMs);
    });
    client.on("close", () => {
      clearTimeout(timer);
      if (fault?.kind !== "hold") upstream?.destroy();
    });
  }

  #answer(client: Socket, upstream: Socket | undefined, request: Buffer, fault: Fault | undefined): Socket | undefined {
    switch (fault?.kind) {
      case "refuse":
      case "reset":
        client.resetAndDestroy();
        return upstream;
      case "hang":
        return upstream;
      case "status":
        client.end(responseOf(fault));
        return upstream;
      case "hold": {
        const later = this.#connect();
        this.#held.push(() => later.write(request));
        return later;
      }
      case "cut":
        return this.#forward(client, this.#connect(), request, (answer) => {
          if (fault.afterBytes > 0) client.write(answer.subarray(0, fault.afterBytes));
          setTimeout(() => client.resetAndDestroy(), quietMs);
        });
      case "slow":
        return this.#forward(client, upstream ?? this.#connect(), request, (answer) => {
          setTimeout(() => client.write(answer), fault.delayMs);
        });
      case undefined:
        return this.#forward(client, upstream ?? this.#connect(), request, (answer) => client.write(answer));
    }
  }

  #forward(client: Socket, upstream: Socket, request: Buffer, take: (answer: Buffer) => void): Socket {
    upstream.removeAllListeners("data").on("data", take);
    upstream.removeAllListeners("end").on("end", () => client.end());
    upstream.write(request);
    return upstream;
  }

  #connect(): Socket {
    return this.#track(connect(this.#upstreamPort, "127.0.0.1"));
  }

  #track(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
    return socket;
  }
}

function responseOf({ status, headers = {}, body = "" }: Extract<Fault, { readonly kind: "status" }>): string {
  const all = { "Content-Length": String(Buffer.byteLength(body)), Connection: "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Fault\r\n${lines.join("")}\r\n${body}`;
}
