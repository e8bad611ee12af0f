import type { GpuEnvironment } from "./gpu-environment.ts";

/** A GPU as nvidia-smi lists it. */
export interface NvidiaGpu {
  readonly index: number;
  readonly uuid: string;
  readonly name: string;
}

/**
 * What the environment says about the GPUs a command may use. `all`: nothing, so any. `none`: it hides them all.
 * `listed`: CUDA's list, entries as written; an invalid entry ends it, as for CUDA.
 */
export type VisibleDevices =
  | { readonly kind: "all" }
  | { readonly kind: "none" }
  | { readonly kind: "listed"; readonly entries: readonly string[]; readonly isPciOrder: boolean };

/**
 * Reads CUDA_VISIBLE_DEVICES, and NVIDIA_VISIBLE_DEVICES=none of containers. `void` is not taken for none: the device
 * interface of containers (CDI) sets it in every container that has GPUs.
 */
export function parseVisibleDevices(env: GpuEnvironment): VisibleDevices {
  const list = env.CUDA_VISIBLE_DEVICES;
  if (list === undefined) return env.NVIDIA_VISIBLE_DEVICES === "none" ? { kind: "none" } : { kind: "all" };
  const entries: string[] = [];
  for (const entry of list.split(",").map((part) => part.trim())) {
    if (!/^(?:\d+|GPU-[\da-f-]+|MIG-[\w/-]+)$/iu.test(entry)) break;
    entries.push(entry);
  }
  if (entries.length === 0) return { kind: "none" };
  return { kind: "listed", entries, isPciOrder: env.CUDA_DEVICE_ORDER === "PCI_BUS_ID" };
}

/** Whether the list names MIG devices by a UUID of their own, which only `nvidia-smi -L` assigns to a GPU. */
export function needsMigParents(devices: VisibleDevices): boolean {
  return devices.kind === "listed" && devices.entries.some((entry) => /^MIG-(?!GPU-)/iu.test(entry));
}

/**
 * UUIDs of the physical GPUs that the list means, or `undefined` where that is not known: indices on a machine with
 * different GPUs count in CUDA's own order, fastest first, unless CUDA_DEVICE_ORDER says otherwise; an unknown MIG device.
 */
export function resolveVisibleDevices(
  devices: VisibleDevices,
  gpus: readonly NvidiaGpu[],
  migParents: ReadonlyMap<string, string> = new Map(),
): ReadonlySet<string> | undefined {
  if (devices.kind === "all") return undefined;
  if (devices.kind === "none") return new Set();
  const hasKnownOrder = devices.isPciOrder || new Set(gpus.map((gpu) => gpu.name)).size <= 1;
  const uuids = new Set<string>();
  for (const entry of devices.entries) {
    if (/^\d+$/u.test(entry) && !hasKnownOrder) return undefined;
    const uuid = resolveEntry(entry, gpus, migParents);
    if (uuid === undefined) return /^MIG-/iu.test(entry) ? undefined : uuids;
    uuids.add(uuid);
  }
  return uuids;
}

/** An index, a UUID or the beginning of one, or a MIG device of either form. */
function resolveEntry(
  entry: string,
  gpus: readonly NvidiaGpu[],
  migParents: ReadonlyMap<string, string>,
): string | undefined {
  if (/^\d+$/u.test(entry)) return gpus.find((gpu) => gpu.index === Number(entry))?.uuid;
  const parent = /^MIG-(GPU-[\da-f-]+)\//iu.exec(entry)?.[1];
  if (parent === undefined && /^MIG-/iu.test(entry)) return findByPrefix(entry, migParents.entries());
  return findByPrefix(
    parent ?? entry,
    gpus.map((gpu) => [gpu.uuid, gpu.uuid] as const),
  );
}

function findByPrefix(prefix: string, entries: Iterable<readonly [string, string]>): string | undefined {
  const wanted = prefix.toLowerCase();
  for (const [uuid, value] of entries) if (uuid.toLowerCase().startsWith(wanted)) return value;
  return undefined;
}

/** MIG UUID -> UUID of its GPU, from the output of `nvidia-smi -L`. */
export function parseMigParents(list: string): ReadonlyMap<string, string> {
  const parents = new Map<string, string>();
  let gpu: string | undefined;
  for (const line of list.split("\n")) {
    const uuid = /\(UUID: ([^)\s]+)\)/u.exec(line)?.[1];
    if (uuid === undefined) continue;
    if (line.startsWith("GPU ")) gpu = uuid;
    else if (gpu !== undefined && uuid.startsWith("MIG-")) parents.set(uuid, gpu);
  }
  return parents;
}
