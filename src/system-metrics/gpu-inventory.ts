import { findAmdCards } from "./amd-source.ts";
import { findNvidiaSmi, type GpuEnvironment } from "./gpu-environment.ts";
import { readKernelFile, readKernelNumber } from "./proc-file.ts";

/** One entry of the tag `track.gpus`. `memoryMegabytes` of 1e6 bytes; what is not known is absent. */
export interface GpuInventoryEntry {
  readonly name: string;
  readonly uuid?: string;
  readonly memoryMegabytes?: number;
}

export interface GpuInventoryOptions {
  /** Only PATH is read: the inventory is of the machine, not of what the command may see. */
  readonly env: GpuEnvironment;
  readonly sysRoot?: string;
  /** A driver that is not kept loaded takes seconds to wake up all of a node's GPUs. */
  readonly timeoutMs?: number;
}

/** The machine's GPUs, NVIDIA's or else AMD's, in index order; empty where none answers. Never throws. */
export async function readGpuInventory(options: GpuInventoryOptions): Promise<readonly GpuInventoryEntry[]> {
  const { env, sysRoot = "/sys", timeoutMs = 15_000 } = options;
  try {
    const executable = findNvidiaSmi(env);
    const gpus = executable === undefined ? [] : await readNvidiaInventory(executable, timeoutMs);
    return gpus.length > 0 ? gpus : readAmdInventory(sysRoot);
  } catch {
    // Recording never hurts the training: an inventory that cannot be read, for whatever reason, is empty.
    return [];
  }
}

/** Output of one run of nvidia-smi; empty when it fails or takes longer. */
export async function runNvidiaSmi(executable: string, args: readonly string[], timeoutMs: number): Promise<string> {
  const { execFile } = await import("node:child_process");
  return await new Promise((resolve) => {
    const options = { timeout: timeoutMs, killSignal: "SIGKILL", encoding: "latin1", maxBuffer: 1_000_000 } as const;
    const child = execFile(executable, args, options, (error, stdout) => resolve(error === null ? stdout : ""));
    child.unref();
  });
}

async function readNvidiaInventory(executable: string, timeoutMs: number): Promise<readonly GpuInventoryEntry[]> {
  const query = ["--query-gpu=uuid,memory.total,name", "--format=csv,noheader,nounits"];
  const text = await runNvidiaSmi(executable, query, timeoutMs);
  return text.split("\n").flatMap((line) => {
    const [uuid = "", memory = "", ...name] = line.split(",").map((field) => field.trim());
    if (!uuid.startsWith("GPU-") || name.length === 0) return [];
    return [makeEntry(name.join(", "), uuid, Number.parseFloat(memory) * 1_048_576)];
  });
}

function readAmdInventory(sysRoot: string): readonly GpuInventoryEntry[] {
  return findAmdCards(sysRoot).map(({ devicePath }) => {
    const read = (file: string): string | undefined => readKernelFile(`${devicePath}/${file}`)?.trim() || undefined;
    const name = read("product_name") ?? `AMD GPU ${read("device") ?? ""}`.trim();
    return makeEntry(name, read("unique_id"), readKernelNumber(`${devicePath}/mem_info_vram_total`));
  });
}

function makeEntry(name: string, uuid: string | undefined, memoryBytes: number | undefined): GpuInventoryEntry {
  return {
    name,
    ...(uuid === undefined ? {} : { uuid }),
    ...(memoryBytes !== undefined && Number.isFinite(memoryBytes)
      ? { memoryMegabytes: Math.round(memoryBytes / 1e6) }
      : {}),
  };
}
