import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Tag } from "../../src/entities/tag.ts";
import { collectProvenance, type CollectOptions } from "../../src/provenance/collect-provenance.ts";
import { createMasker } from "../../src/wire/redact.ts";
import { createGitRig, listWithTimes, type GitRig } from "./git-rig.ts";

let rig: GitRig;
let out: string;
beforeEach(() => {
  rig = createGitRig();
  out = join(rig.folder, "out");
  mkdirSync(out);
});
afterEach(() => rig[Symbol.dispose]());

interface Collected {
  readonly tags: Map<string, string>;
  readonly files: Map<string, string>;
  readonly order: readonly string[];
}

async function collect(cwd: string, options: Partial<CollectOptions> = {}): Promise<Collected> {
  const tags = new Map<string, string>();
  const files = new Map<string, string>();
  const order: string[] = [];
  const env = options.env ?? rig.env;
  await collectProvenance({
    cwd,
    command: ["true"],
    env,
    gitExcludes: [],
    outFolder: out,
    masker: createMasker(env, { enabled: true }),
    onTags: (more: readonly Tag[]) => {
      for (const { key, value } of more) {
        tags.set(key, value);
        order.push(key);
      }
    },
    onArtifact: ({ localPath, artifactFile }) => {
      expect(statSync(localPath).mode & 0o777).toBe(0o600);
      files.set(artifactFile, readFileSync(localPath, "utf8"));
      order.push(artifactFile);
    },
    ...options,
  });
  return { tags, files, order };
}

it("describes source, machine, repository and environment, tags before the large files", async () => {
  const repo = rig.repository("repo", { "train.py": "x = 1\n", "requirements.txt": "numpy\n" });
  rig.write("repo/train.py", "x = 2\ntoken = 'very-secret-value'\n");
  rig.write("repo/notes.txt", "n");
  rig.write("repo/mlflow.db", "db");
  rig.write("venv/pyvenv.cfg", "home = /nowhere\nversion = 3.11.7\n");
  rig.write("venv/lib/python3.11/site-packages/numpy-2.0.0.dist-info/METADATA", "Name: numpy\nVersion: 2.0.0\n\n");
  chmodSync(rig.write("venv/bin/python", "#!/bin/sh\ntouch ran\n"), 0o755);
  const env = {
    ...rig.env,
    SLURM_JOB_ID: "7",
    RANK: "0",
    CONDA_TOKEN: "hidden",
    MY_SECRET: "very-secret-value",
    OTHER: "x",
  };
  const before = listWithTimes(repo);
  const { tags, files, order } = await collect(repo, {
    env,
    command: [join(rig.folder, "venv/bin/python"), "train.py"],
    gitExcludes: [join(repo, "mlflow.db")],
  });
  expect(listWithTimes(repo)).toEqual(before);
  expect(tags.get("mlflow.source.name")).toBe("train.py");
  expect(tags.get("mlflow.source.git.dirty")).toBe("true");
  expect(tags.get("mlflow.source.git.commit")).toMatch(/^[0-9a-f]{40}$/u);
  expect(tags.has("track.cpu")).toBe(true);
  expect(tags.has("track.git.diff_truncated")).toBe(false);
  expect([...files.keys()].sort()).toEqual([
    "environment/python-packages.txt",
    "environment/system.json",
    "environment/variables.json",
    "git/diff.patch",
    "git/untracked.txt",
  ]);
  expect(files.get("environment/python-packages.txt")).toBe("numpy==2.0.0\n");
  expect(JSON.parse(files.get("environment/variables.json") ?? "")).toEqual({
    CONDA_TOKEN: "***",
    RANK: "0",
    SLURM_JOB_ID: "7",
  });
  expect(JSON.parse(files.get("environment/system.json") ?? "")).toMatchObject({
    kernel: expect.stringMatching(/^\d/u),
    libc: expect.stringMatching(/^(?:glibc [\d.]+|musl)$/u),
    lockFiles: [{ path: join(repo, "requirements.txt"), sha256: expect.stringMatching(/^[0-9a-f]{64}$/u) }],
    python: { executable: join(rig.folder, "venv/bin/python"), version: "3.11.7" },
  });
  expect(files.get("git/untracked.txt")).toBe("notes.txt\n");
  expect(files.get("git/diff.patch")).toContain("+token = '***'");
  for (const text of files.values()) expect(text).not.toContain("very-secret-value");
  expect(order.indexOf("mlflow.source.git.dirty")).toBeLessThan(order.indexOf("git/diff.patch"));
  expect(order.indexOf("track.cpu")).toBeLessThan(order.indexOf("environment/python-packages.txt"));
});

it("says little, quickly, for a program outside a repository", async () => {
  await collect(rig.folder);
  const start = performance.now();
  const { tags, files } = await collect(rig.folder);
  // Measured 7 ms on an idle machine.
  expect(performance.now() - start).toBeLessThan(200);
  expect(tags.get("mlflow.source.name")).toBe("true");
  expect([...tags.keys()].filter((key) => key.includes("git"))).toEqual([]);
  expect([...files.keys()].sort()).toEqual(["environment/system.json", "environment/variables.json"]);
});

it("comes to an end when git hangs, with all that does not need it", async () => {
  const repo = rig.repository("repo", { a: "a" });
  chmodSync(rig.write("bin/git", "#!/bin/sh\nexec sleep 1000\n"), 0o755);
  const env = { ...rig.env, PATH: `${join(rig.folder, "bin")}:${rig.env["PATH"] ?? ""}` };
  const start = performance.now();
  const { tags } = await collect(repo, { env, timeLimitMs: 300 });
  expect(performance.now() - start).toBeLessThan(3000);
  expect(tags.get("mlflow.source.name")).toBe("true");
  expect(tags.has("track.host")).toBe(true);
  expect(tags.has("mlflow.source.git.commit")).toBe(false);
});

it("survives a folder that is gone and one that can't be written to", async () => {
  const gone = join(rig.folder, "gone");
  rmSync(out, { recursive: true });
  const { tags, files } = await collect(gone);
  expect(tags.get("mlflow.source.type")).toBe("LOCAL");
  expect(files.size).toBe(0);
  expect(existsSync(gone)).toBe(false);
});

it("does nothing for a signal that has fired", async () => {
  const { order } = await collect(rig.folder, { signal: AbortSignal.abort() });
  expect(order.filter((entry) => entry.includes("/"))).toEqual([]);
});
