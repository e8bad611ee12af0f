import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../e2e/rig.ts";
import { findFreePort } from "./mlflow-server.ts";

/** PostgreSQL's programs with what they need to find their own libraries. */
export interface PostgresPrograms {
  readonly folder: string;
  readonly libraries?: string;
}

const installedRoot = "/usr/lib/postgresql";

/**
 * The Debian package, as it is installed, else unpacked below `scratch` as an ordinary user can. Where it cannot be had: throws
 * under CI, else `undefined`, told.
 */
export function findPostgres(scratch: string): PostgresPrograms | undefined {
  const installed = programsBelow(installedRoot);
  if (installed !== undefined) return { folder: installed };
  try {
    return unpackPostgres(scratch);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (process.env["CI"]) throw new Error(`interop: PostgreSQL cannot be had: ${reason}`, { cause: error });
    console.log(`interop: the tests with PostgreSQL are skipped: ${reason}`);
    return undefined;
  }
}

function programsBelow(root: string): string | undefined {
  if (!existsSync(root)) return undefined;
  const folders = readdirSync(root).toSorted((a, b) => Number(b) - Number(a));
  return folders.map((version) => join(root, version, "bin")).find((folder) => existsSync(join(folder, "postgres")));
}

function unpackPostgres(scratch: string): PostgresPrograms {
  mkdirSync(scratch, { recursive: true });
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd: scratch, encoding: "utf8" });
  const name = /\bpostgresql-\d+\b/u.exec(run("apt-cache", "depends", "postgresql"))?.[0];
  if (name === undefined) throw new Error("no package named postgresql");
  run("apt-get", "download", name, name.replace("-", "-client-"), "libpq5");
  for (const file of readdirSync(scratch).filter((each) => each.endsWith(".deb"))) run("dpkg", "-x", file, ".");
  const folder = programsBelow(join(scratch, installedRoot));
  if (folder === undefined) throw new Error(`${name} holds no server`);
  const libraries = join(scratch, "usr/lib", `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`);
  const { status, stderr } = spawnSync(join(folder, "postgres"), ["--version"], {
    encoding: "utf8",
    env: { LD_LIBRARY_PATH: libraries },
  });
  if (status !== 0) throw new Error(`the unpacked server does not run: ${stderr.trim()}`);
  return { folder, libraries };
}

/** A PostgreSQL cluster of its own in `folder`, on 127.0.0.1 and a free port; never as root, which it refuses. */
export class PostgresServer implements AsyncDisposable {
  /** As SQLAlchemy wants it. */
  readonly uri: string;
  readonly #stop: () => Promise<void>;
  readonly #sql: (text: string) => string;

  private constructor(uri: string, stop: () => Promise<void>, sql: (text: string) => string) {
    this.uri = uri;
    this.#stop = stop;
    this.#sql = sql;
  }

  static async start({ folder: programs, libraries }: PostgresPrograms, folder: string): Promise<PostgresServer> {
    const data = join(folder, "data");
    mkdirSync(data, { mode: 0o700 });
    const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    if (nobody.uid !== undefined) for (const path of [folder, data]) chownSync(path, nobody.uid, nobody.gid);
    const env = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8", ...(libraries && { LD_LIBRARY_PATH: libraries }) };
    const options = { cwd: folder, env, ...nobody };
    const run = (program: string, ...args: string[]) =>
      execFileSync(join(programs, program), args, { ...options, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    run("initdb", "-D", data, "-U", "mlflow", "-A", "trust", "--no-sync", "-E", "UTF8");
    const port = String(await findFreePort());
    const settings = ["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", `unix_socket_directories=${folder}`];
    const server = spawn(join(programs, "postgres"), ["-D", data, "-p", port, ...settings], {
      ...options,
      stdio: "ignore",
    });
    const closed = once(server, "close");
    const connection = ["-h", "127.0.0.1", "-p", port, "-U", "mlflow"];
    await waitFor(() => spawnSync(join(programs, "pg_isready"), connection, options).status === 0, {
      timeoutMs: 30_000,
    });
    run("createdb", ...connection, "mlflow");
    return new PostgresServer(
      `postgresql+psycopg2://mlflow@127.0.0.1:${port}/mlflow`,
      async () => {
        // Not "smart": MLflow's connections would be waited for.
        server.kill("SIGINT");
        await closed;
      },
      (text) => run("psql", ...connection, "-At", "-c", text, "mlflow"),
    );
  }

  /** What psql prints. */
  sql(text: string): string {
    return this.#sql(text);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }
}
