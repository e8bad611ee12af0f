import { newestMlflow, venvProgram } from "../interop/mlflow-versions.ts";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export const fixtures = resolve(import.meta.dirname, "../../fixtures/gpu");

export const readFixture = (name: string): string => readFileSync(join(fixtures, name), "utf8");

/** A fresh folder, removed when its scope ends. */
export function makeFolder(): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "track-system-metrics-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Writes files given as path below `root` -> content. */
export function writeTree(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

/** A folder for PATH whose `nvidia-smi` replays fixtures; `calls()` are the argument lists it was started with, with pids. */
export function makeNvidiaSmi(folder: string, variables: Readonly<Record<string, string>>) {
  const calls = join(folder, "calls");
  writeFileSync(calls, "");
  const assignments = Object.entries({ ...variables, FAKE_CALLS: calls }).map(([name, value]) => `${name}='${value}'`);
  const path = join(folder, "nvidia-smi");
  writeFileSync(path, `#!/bin/sh\nexport ${assignments.join(" ")}\nexec ${fixtures}/nvidia-smi "$@"\n`);
  chmodSync(path, 0o755);
  return {
    path,
    calls: () =>
      readFileSync(calls, "utf8")
        .split("\n")
        .filter(Boolean)
        .map((line) => ({ pid: Number.parseInt(line, 10), arguments: line.slice(line.indexOf(" ") + 1) })),
  };
}

/** Waits for a condition, 10 s at most. */
export async function until<T>(what: string, check: () => T | undefined | false): Promise<T> {
  for (let waited = 0; waited < 10_000; waited += 10) {
    const result = check();
    if (result !== undefined && result !== false) return result;
    await delay(10);
  }
  throw new Error(`timed out waiting for ${what}`);
}

export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/mu.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** A Python that has psutil, or `undefined`. */
export function findPsutil(): string | undefined {
  return [venvProgram(newestMlflow, "python"), "python3"].find((python) => {
    try {
      execFileSync(python, ["-c", "import psutil"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  });
}
