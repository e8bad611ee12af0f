import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import { connect, type Socket } from "node:net";

/** An HTTP proxy as HTTP_PROXY and HTTPS_PROXY name them, with a user and a password. */
export class ForwardProxy implements AsyncDisposable {
  /** With user and password. */
  readonly url: string;
  /** What was asked for: `GET http://...` or `CONNECT host:port`. */
  readonly seen: string[];
  readonly #server: Server;

  private constructor(server: Server, seen: string[], url: string) {
    this.#server = server;
    this.seen = seen;
    this.url = url;
  }

  static async start(): Promise<ForwardProxy> {
    const seen: string[] = [];
    const credentials = `Basic ${Buffer.from("who:pw").toString("base64")}`;
    const server = createServer((incoming, outgoing) => {
      if (incoming.headers["proxy-authorization"] !== credentials) return void outgoing.writeHead(407).end();
      seen.push(`${incoming.method} ${incoming.url}`);
      const { "proxy-authorization": _proxy, ...headers } = incoming.headers;
      const passed = request(incoming.url ?? "", { method: incoming.method ?? "GET", headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(passed);
    });
    server.on("connect", (incoming, client: Socket) => {
      if (incoming.headers["proxy-authorization"] !== credentials) return void client.end("HTTP/1.1 407 No\r\n\r\n");
      seen.push(`CONNECT ${incoming.url}`);
      const [host = "", port = ""] = (incoming.url ?? "").split(":");
      const upstream = connect(Number(port), host, () => {
        client.write("HTTP/1.1 200 Connected\r\n\r\n");
        client.pipe(upstream).pipe(client);
      });
      for (const socket of [client, upstream]) socket.on("error", () => {});
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new ForwardProxy(server, seen, `http://who:pw@127.0.0.1:${address.port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}
