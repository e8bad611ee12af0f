import { defineConfig } from "vitest/config";

const project = (name: string, include: string[], timeoutMs: number, ...globalSetup: string[]) => ({
  test: {
    name,
    include,
    testTimeout: timeoutMs,
    hookTimeout: timeoutMs,
    // Thousands of real signals, kills and full disks on two shared cores: one accident of scheduling is no defect. A retry is reported.
    retry: process.env["CI"] ? 2 : 0,
    globalSetup,
  },
});

export default defineConfig({
  test: {
    maxWorkers: 2,
    pool: "forks",
    projects: [
      project("unit", ["test/**/*.test.ts", "!test/e2e/**", "!test/interop/**", "!test/bench/**"], 20_000),
      project("e2e", ["test/e2e/**/*.test.ts"], 60_000, "test/e2e/global-setup.ts"),
      project(
        "interop",
        ["test/interop/**/*.test.ts"],
        300_000,
        "test/e2e/global-setup.ts",
        "test/interop/global-setup.ts",
      ),
    ],
  },
});
