import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { waitFor } from "../e2e/rig.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { type MlflowVersion, venvProgram } from "./mlflow-versions.ts";

type Json = Readonly<Record<string, unknown>>;

export interface ServerOptions {
  /** Further arguments of `mlflow server`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a free one. */
  readonly port?: number;
}

/** `mlflow server` on a database, in a process group of its own. */
export class MlflowServer implements AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly #stop: () => Promise<void>;

  private constructor(url: string, stop: () => Promise<void>) {
    this.url = url;
    this.#stop = stop;
  }

  /** Resolves once it answers; `folder` is its working folder. */
  static async start(
    version: MlflowVersion,
    uri: string,
    folder: string,
    options: ServerOptions = {},
  ): Promise<MlflowServer> {
    const port = String(options.port ?? (await findFreePort()));
    const args = ["server", "--backend-store-uri", uri, "--host", "127.0.0.1", "--port", port, "--workers", "1"];
    args.push(...(options.args ?? []));
    const env = { ...mlflowEnvironment(folder), MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false", ...options.env };
    const child = spawn(venvProgram(version, "mlflow"), args, { cwd: folder, env, detached: true });
    child.stdin.end();
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    }
    const closed = once(child, "close");
    // Killing `mlflow` alone would leave its uvicorn behind, with the port.
    const server = new MlflowServer(`http://127.0.0.1:${port}`, async () => {
      if (child.pid !== undefined) killGroup(child.pid);
      await closed;
    });
    try {
      await waitFor(() => child.exitCode !== null || server.#isHealthy(), { timeoutMs: 120_000, what: "/health" });
      if (child.exitCode !== null) throw new Error(`mlflow server ended with ${child.exitCode}`);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw new Error(`mlflow server does not answer:\n${output}`, { cause: error });
    }
    return server;
  }

  /** `GET` below `/api/2.0/mlflow/`. Throws for anything but 200. */
  get(path: string, query: Readonly<Record<string, string>>): Promise<Json> {
    return this.#ask(`${path}?${new URLSearchParams(query).toString()}`, {});
  }

  /** `POST` below `/api/2.0/mlflow/`. Throws for anything but 200. */
  post(path: string, body: Json): Promise<Json> {
    const headers = { "Content-Type": "application/json" };
    return this.#ask(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  async #ask(path: string, init: RequestInit): Promise<Json> {
    const response = await fetch(`${this.url}/api/2.0/mlflow/${path}`, init);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Json;
  }

  async #isHealthy(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/health`)).ok;
    } catch (error) {
      if (error instanceof TypeError) return false;
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** A TCP port of 127.0.0.1 that nobody has right now. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
