import { createHash } from "node:crypto";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { pickVariables } from "../../src/provenance/environment.ts";
import { parseNvidiaDriver, readSystemFacts } from "../../src/provenance/system-facts.ts";
import { createMasker } from "../../src/wire/redact.ts";
import { createGitRig } from "./git-rig.ts";

it("hashes lock files, each once, and finds CUDA", async () => {
  using rig = createGitRig();
  const names = ["requirements-dev.txt", "uv.lock", "pyproject.toml", "environment.yml", "package-lock.json"];
  for (const name of names) rig.write(`project/${name}`, name);
  rig.write("project/setup.py", "");
  mkdirSync(join(rig.folder, "project/poetry.lock"));
  symlinkSync("/nowhere", join(rig.folder, "project/pixi.lock"));
  rig.write(
    "cuda/version.json",
    '{\n "cuda" : {\n "name" : "CUDA SDK",\n "version" : "12.2.1"\n },\n "nvcc": {"version": "9"}}',
  );
  const folder = join(rig.folder, "project");
  const facts = await readSystemFacts([folder, folder, join(rig.folder, "gone")], {
    CUDA_HOME: join(rig.folder, "cuda"),
  });
  expect(facts.cuda).toBe("12.2.1");
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  expect(facts.lockFiles).toEqual(names.sort().map((name) => ({ path: join(folder, name), sha256: sha256(name) })));
  rig.write("old/version.txt", "CUDA Version 10.2.89\n");
  expect((await readSystemFacts([], { CUDA_HOME: "", CUDA_PATH: join(rig.folder, "old") })).cuda).toBe("10.2.89");
});

it.each([
  [
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc 12.3.0\n",
    "535.104.05",
  ],
  [
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (dvs-builder@U16)  Thu\n",
    "570.86.15",
  ],
  ["", undefined],
])("parseNvidiaDriver %j", (text, version) => expect(parseNvidiaDriver(text)).toBe(version));

it("pickVariables takes the allow-list and masks", () => {
  const env = {
    SLURM_JOB_ID: "1",
    SLURM_JWT: `eyJhbGciOiJI.eyJzdWIiOiJ.${"a".repeat(20)}`,
    CUDA_VISIBLE_DEVICES: "0,1",
    NCCL_DEBUG: "INFO",
    OMP_NUM_THREADS: "4",
    CONDA_TOKEN: "abc",
  };
  const kin = {
    RANK: "1",
    LOCAL_RANK: "0",
    WORLD_SIZE: "2",
    MASTER_ADDR: "h",
    MASTER_PORT: "1",
    VIRTUAL_ENV: "/v",
    OMPI_COMM_WORLD_RANK: "3",
  };
  const others = { HOME: "/h", FRANK: "x", MY_RANK: "1", AWS_SECRET_ACCESS_KEY: "secret-secret", PATH: "/bin" };
  const picked = pickVariables({ ...env, ...kin, ...others }, createMasker({}, { enabled: true }));
  expect(picked).toEqual({ ...env, ...kin, SLURM_JWT: "***", CONDA_TOKEN: "***" });
});
