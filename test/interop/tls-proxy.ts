import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createServer, type Server } from "node:tls";

/** PEM files of a throw-away authority, a server `localhost` and a client, made by openssl in `folder`. */
export interface Certificates {
  readonly authority: string;
  readonly serverCertificate: string;
  readonly serverKey: string;
  /** Certificate and key in one file, as MLFLOW_TRACKING_CLIENT_CERT_PATH wants it. */
  readonly client: string;
}

export function makeCertificates(folder: string): Certificates {
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]): void => {
    const { status, stderr } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args[0]}: ${stderr}`);
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=throw-away");
  for (const [name, subject] of [
    ["server", "/CN=localhost"],
    ["client", "/CN=ada"],
  ] as const) {
    openssl("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", subject);
    writeFileSync(file("names"), "subjectAltName=DNS:localhost");
    const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"];
    openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...sign);
  }
  writeFileSync(file("both.pem"), readFileSync(file("client.pem"), "utf8") + readFileSync(file("client.key"), "utf8"));
  return {
    authority: file("ca.pem"),
    serverCertificate: file("server.pem"),
    serverKey: file("server.key"),
    client: file("both.pem"),
  };
}

/** Ends TLS before a plain server on 127.0.0.1; with `wantsClient` only for clients of the same authority. */
export class TlsProxy implements AsyncDisposable {
  /** `https://localhost:<port>`. */
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>, url: string) {
    this.#server = server;
    this.#sockets = sockets;
    this.url = url;
  }

  static async start(upstreamUrl: string, certificates: Certificates, wantsClient = false): Promise<TlsProxy> {
    const sockets = new Set<Socket>();
    const server = createServer({
      cert: readFileSync(certificates.serverCertificate),
      key: readFileSync(certificates.serverKey),
      ca: readFileSync(certificates.authority),
      requestCert: wantsClient,
      rejectUnauthorized: wantsClient,
    });
    server.on("secureConnection", (client) => {
      const upstream = connect(Number(new URL(upstreamUrl).port), "127.0.0.1");
      for (const socket of [client, upstream]) {
        sockets.add(socket);
        socket.on("error", () => {}).on("close", () => sockets.delete(socket));
      }
      client.pipe(upstream).pipe(client);
    });
    server.on("tlsClientError", () => {});
    server.listen(0, "localhost");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return new TlsProxy(server, sockets, `https://localhost:${address.port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
