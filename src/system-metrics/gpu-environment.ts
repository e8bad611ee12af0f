import { accessSync, constants } from "node:fs";
import { delimiter } from "node:path";
import { hasCode } from "../util/error-code.ts";

/** The variables of the command's environment that decide about GPUs; all of an environment may be handed over. */
export interface GpuEnvironment {
  readonly PATH?: string | undefined;
  readonly CUDA_VISIBLE_DEVICES?: string | undefined;
  readonly CUDA_DEVICE_ORDER?: string | undefined;
  readonly NVIDIA_VISIBLE_DEVICES?: string | undefined;
}

/** Absolute path of nvidia-smi, looked up in PATH; `undefined` when there is none. */
export function findNvidiaSmi(env: GpuEnvironment): string | undefined {
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    if (!folder.startsWith("/")) continue;
    const path = `${folder}/nvidia-smi`;
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch (error) {
      if (!hasCode(error, "ENOENT", "EACCES", "ENOTDIR", "EPERM", "ELOOP", "ENAMETOOLONG")) throw error;
    }
  }
  return undefined;
}
