import type { Environment } from "../../settings/tracking-uri.ts";
import { findNvidiaSmi } from "../../system-metrics/gpu-environment.ts";
import { readGpuInventory } from "../../system-metrics/gpu-inventory.ts";
import { runHelper } from "../../util/run-helper.ts";
import { version } from "../../util/version.ts";
import { type Check, unwell, well } from "./check.ts";

const timeoutMs = 5000;
const oldestNode = 24;

/** What of the machine `track` uses beside itself. Starts git and nvidia-smi, 5 s at most each. */
export async function checkMachine(env: Environment): Promise<readonly Check[]> {
  return [checkNode(), ...(await Promise.all([checkGit(env), checkGpu(env)]))];
}

function checkNode(): Check {
  const found = process.versions.node;
  const message = `Node ${found}, track ${version}`;
  if (Number(found.split(".")[0]) >= oldestNode) return well("node", message);
  return unwell("node", message, `track needs Node ${oldestNode} or newer`);
}

async function checkGit(env: Environment): Promise<Check> {
  const { exitCode, stdout } = await runHelper("git", ["--version"], { env, timeoutMs });
  if (exitCode === 0) return well("git", stdout.toString().trim());
  return unwell("git", "no git in PATH: commits and diffs are not recorded", "install git");
}

async function checkGpu(env: Environment): Promise<Check> {
  const gpus = await readGpuInventory({ env, timeoutMs });
  if (gpus.length > 0) return well("gpu", gpus.map(({ name }) => name).join(", "));
  const executable = findNvidiaSmi(env);
  if (executable === undefined) return well("gpu", "none found");
  return unwell("gpu", `${executable} names no GPU: none is sampled`, "run nvidia-smi, it says why");
}
