import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { newestMlflow, venvProgram } from "./mlflow-versions.ts";

/** What MLflow's server wants for basic authentication and for PostgreSQL. */
export const installServerExtras = (): string | undefined =>
  installExtras("server-extras", ["Flask-WTF==1.3.0", "WTForms==3.3.2", "psycopg2-binary==2.9.13"]);

/** What tracked scripts use beside the newest MLflow. */
export const installScriptExtras = (): string | undefined =>
  installExtras("script-extras", [
    "optuna==5.0.0",
    "optuna-integration==5.0.0",
    "colorlog==6.12.0",
    "tqdm==4.70.1",
    "lightgbm==4.7.0",
  ]);

/** Installs them once, beside the virtual environments; the path for PYTHONPATH. Throws under CI, else `undefined`, told, where they cannot be had. */
function installExtras(name: string, requirements: readonly string[]): string | undefined {
  const folder = resolve(import.meta.dirname, "../../.venv", name);
  const mark = join(folder, "track-complete");
  if (existsSync(mark) && readFileSync(mark, "utf8") === requirements.join("\n")) return folder;
  // Two test files may come at once: whoever is late finds the other's.
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  const args = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", fresh, ...requirements];
  const result = spawnSync(venvProgram(newestMlflow, "pip"), args, { encoding: "utf8" });
  if (result.status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    const failure = result.error?.message ?? result.stderr.trim().split("\n").at(-1) ?? "";
    if (process.env["CI"]) throw new Error(`interop: ${requirements.join(" ")} cannot be installed: ${failure}`);
    console.log(`interop: tests that need ${name} are skipped: ${failure}`);
    return undefined;
  }
  writeFileSync(join(fresh, "track-complete"), requirements.join("\n"));
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
  return folder;
}
