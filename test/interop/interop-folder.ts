import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, onTestFinished } from "vitest";
import { MlflowAgent } from "./mlflow-agent.ts";
import type { MlflowVersion } from "./mlflow-versions.ts";

/** A new folder that goes away with the test. */
export function makeTestFolder(): string {
  const folder = makeFolder();
  onTestFinished(() => removeFolder(folder));
  return folder;
}

/** One MLflow process for all tests of the group that this is called in; calling the result gives it to a test. */
export function shareAgent(version: MlflowVersion): () => MlflowAgent {
  let agent: MlflowAgent | undefined;
  beforeAll(() => {
    const folder = makeFolder();
    agent = new MlflowAgent(version, folder);
    return async () => {
      await agent?.[Symbol.asyncDispose]();
      removeFolder(folder);
    };
  });
  return () => {
    if (agent === undefined) throw new Error("no MLflow outside of tests");
    return agent;
  };
}

export const sqliteUri = (folder: string): string => `sqlite:///${join(folder, "mlflow.db")}`;

export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), "track-interop-"));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
