import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import buildTrack from "../e2e/global-setup.ts";
import { neededVersions } from "./mlflow-versions.ts";

const root = resolve(import.meta.dirname, "../..");

/** Builds `track`, and puts each MLflow version that the tests name into a virtual environment of its own below `.venv`, once. */
export default function setUp(): () => void {
  installMlflow();
  return buildTrack();
}

function installMlflow(): void {
  for (const { name, requirements } of neededVersions) {
    const folder = join(root, ".venv", name);
    const mark = join(folder, "track-complete");
    if (existsSync(mark) && readFileSync(mark, "utf8") === requirements.join("\n")) continue;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    console.log(`interop: installing ${requirements.join(" ")} into .venv/${name}`);
    const failure = install(folder, requirements);
    if (failure === undefined) {
      writeFileSync(mark, requirements.join("\n"));
    } else if (process.env["CI"]) {
      throw new Error(`interop: ${name} cannot be installed: ${failure}`);
    } else {
      console.log(`interop: tests with ${name} are skipped, it cannot be installed: ${failure}`);
    }
  }
}

function install(folder: string, requirements: readonly string[]): string | undefined {
  const commands: readonly (readonly [string, readonly string[]])[] = [
    ["python3", ["-m", "venv", folder]],
    [join(folder, "bin/pip"), ["install", "--quiet", "--disable-pip-version-check", ...requirements]],
  ];
  for (const [program, args] of commands) {
    const result = spawnSync(program, args, { encoding: "utf8" });
    if (result.error !== undefined) return result.error.message;
    if (result.status !== 0) return result.stderr.trim().split("\n").at(-1) ?? `exit ${result.status}`;
  }
  return undefined;
}
