import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { waitFor } from "../e2e/rig.ts";
import type { UnpackedPackages } from "./debian-packages.ts";
import { findFreePort } from "./mlflow-server.ts";

export const slurmPackages = ["slurmctld", "slurmd", "slurm-client", "munge"];

/** Slurm on this machine alone, all of it in one folder, its daemons this process's own children. */
export class SlurmCluster implements AsyncDisposable {
  /** For `srun`, `sbatch` and `scontrol`, which lie in `bin`. */
  readonly env: Readonly<Record<string, string>>;
  readonly bin: string;
  readonly #daemons: readonly ChildProcess[];

  private constructor(env: Readonly<Record<string, string>>, bin: string, daemons: readonly ChildProcess[]) {
    this.env = env;
    this.bin = bin;
    this.#daemons = daemons;
  }

  /** Resolves once the node takes jobs. */
  static async start({ root, libraries }: UnpackedPackages, folder: string): Promise<SlurmCluster> {
    for (const name of ["state", "spool"]) mkdirSync(join(folder, name), { recursive: true });
    const [library = ""] = libraries.split(":");
    const plugins = join(library, "slurm-wlm");
    const configuration = join(folder, "slurm.conf");
    writeFileSync(configuration, await settings(folder, plugins));
    writeFileSync(join(folder, "munge.key"), randomBytes(1024), { mode: 0o600 });
    const env = { PATH: "/usr/bin:/bin", LD_LIBRARY_PATH: `${libraries}:${plugins}`, SLURM_CONF: configuration };
    const daemons: ChildProcess[] = [];
    const begin = (program: string, ...args: string[]): void => {
      daemons.push(spawn(join(root, "usr/sbin", program), args, { cwd: folder, env, stdio: "ignore" }));
    };
    const cluster = new SlurmCluster(env, join(root, "usr/bin"), daemons);
    const place = (name: string, file: string) => `--${name}=${join(folder, file)}`;
    begin(
      "munged",
      "--foreground",
      "--force",
      place("key-file", "munge.key"),
      place("socket", "munge.socket"),
      place("pid-file", "munged.pid"),
      place("log-file", "munged.log"),
      place("seed-file", "munged.seed"),
    );
    await waitFor(() => readdirSync(folder).includes("munge.socket"), { what: "munge's socket" });
    begin("slurmctld-wlm", "-D", "-f", configuration);
    begin("slurmd-wlm", "-D", "-f", configuration, "-d", join(root, "usr/sbin/slurmstepd-wlm"));
    try {
      await waitFor(() => cluster.ask("sinfo", "--noheader", "--format=%t").startsWith("idle"), {
        timeoutMs: 60_000,
        what: "the node is idle",
      });
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      const logs = ["slurmctld.log", "slurmd.log"].map((name) => readFileSync(join(folder, name), "utf8"));
      throw new Error(`Slurm does not start:\n${logs.join("\n")}`, { cause: error });
    }
    return cluster;
  }

  /** What one of Slurm's own programs prints. */
  ask(program: string, ...args: string[]): string {
    return execFileSync(join(this.bin, program), args, { env: this.env, encoding: "utf8" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons.toReversed()) {
      if (daemon.exitCode !== null || daemon.signalCode !== null) continue;
      const ended = once(daemon, "exit");
      daemon.kill("SIGKILL");
      await ended;
    }
  }
}

async function settings(folder: string, plugins: string): Promise<string> {
  const { username } = userInfo();
  const at = (name: string) => join(folder, name);
  const lines = {
    ClusterName: "test",
    SlurmctldHost: `${hostname()}(127.0.0.1)`,
    SlurmUser: username,
    SlurmdUser: username,
    AuthType: "auth/munge",
    AuthInfo: `socket=${at("munge.socket")}`,
    CredType: "cred/munge",
    PluginDir: plugins,
    SlurmctldPort: await findFreePort(),
    SlurmdPort: await findFreePort(),
    StateSaveLocation: at("state"),
    SlurmdSpoolDir: at("spool"),
    SlurmctldPidFile: at("slurmctld.pid"),
    SlurmdPidFile: at("slurmd.pid"),
    SlurmctldLogFile: at("slurmctld.log"),
    SlurmdLogFile: at("slurmd.log"),
    ProctrackType: "proctrack/linuxproc",
    TaskPlugin: "task/none",
    SelectType: "select/cons_tres",
    SelectTypeParameters: "CR_Core",
    ReturnToService: 2,
    JobAcctGatherType: "jobacct_gather/none",
    AccountingStorageType: "accounting_storage/none",
    MpiDefault: "none",
    SwitchType: "switch/none",
    // A job that is put back waits for the next round of the scheduler.
    SchedulerParameters: "sched_interval=2,batch_sched_delay=0",
  };
  const node = `NodeName=${hostname()} NodeAddr=127.0.0.1 CPUs=${availableParallelism()} State=UNKNOWN`;
  const partition = `PartitionName=all Nodes=${hostname()} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8`;
  const text = Object.entries(lines).map(([name, value]) => `${name}=${value}`);
  return [...text, node, partition, ""].join("\n");
}
