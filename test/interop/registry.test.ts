import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { makeTestFolder, sqliteUri } from "./interop-folder.ts";
import { mlflowEnvironment } from "./mlflow-agent.ts";
import { isInstalled, mlflowVersions, venvProgram } from "./mlflow-versions.ts";

test.each(mlflowVersions.filter(isInstalled))(
  "MLflow $version reads and changes our model registry in the database itself, and we go on with what it migrated",
  async (version) => {
    const folder = makeTestFolder();
    {
      await using store = await openSqliteStore(join(folder, "mlflow.db"), { mode: "write" });
      const registry = await store.openRegistry();
      await registry.createRegisteredModel({
        name: "draft",
        description: "what we made",
        tags: [{ key: "tier", value: "ours" }],
      });
      for (const source of ["s3://bucket/one", "s3://bucket/two", "models:/draft/1"]) {
        const tags = [{ key: "checked", value: "ours" }];
        await registry.createModelVersion({ name: "draft", source, description: "text", tags });
      }
      await registry.setRegisteredModelAlias("draft", "best", 1);
      await registry.transitionModelVersionStage("draft", 1, { stage: "Staging" });
      await registry.renameRegisteredModel("draft", "ours");
      await registry.deleteModelVersion("ours", 2);
    }
    const script = join(import.meta.dirname, "python/use_registry.py");
    const options = { cwd: folder, env: mlflowEnvironment(folder) };
    const { stdout } = await promisify(execFile)(venvProgram(version, "python"), [script, sqliteUri(folder)], options);
    expect(JSON.parse(/^SEEN (.*)$/mu.exec(stdout)?.[1] ?? "null")).toEqual({
      description: "what we made",
      tags: { tier: "ours" },
      aliases: { best: 1 },
      version: ["s3://bucket/one", "text", { checked: "ours" }, ["best"], "Staging"],
      place: "s3://bucket/one",
      found: [1, 3],
      models: ["ours"],
    });
    await using store = await openSqliteStore(join(folder, "mlflow.db"), { mode: "write" });
    const registry = await store.openRegistry();
    expect(await registry.getRegisteredModel("ours")).toMatchObject({
      tags: [{ key: "tier", value: "theirs" }],
      aliases: [{ alias: "best", version: 3 }],
    });
    expect(await registry.getModelVersionDownloadUri("ours", 3)).toBe("s3://bucket/one");
    expect((await registry.getModelVersion("ours", 1)).tags).toEqual([{ key: "checked", value: "theirs" }]);
    await registry.setRegisteredModelTag("theirs", { key: "a", value: "c" });
    await registry.setRegisteredModelTag("theirs", { key: "new", value: "tag" });
    await registry.setModelVersionTag("ours", 1, { key: "checked", value: "ours again" });
    await registry.setRegisteredModelAlias("ours", "best", 1);
    expect(await registry.createModelVersion({ name: "ours", source: "s3://bucket/four" })).toMatchObject({
      version: 4,
    });
    await expect(registry.createRegisteredModel({ name: "theirs" })).rejects.toMatchObject({
      errorCode: "RESOURCE_ALREADY_EXISTS",
    });
    await registry.renameRegisteredModel("ours", "renamed");
    expect(await registry.getModelVersionByAlias("renamed", "best")).toMatchObject({ version: 1, aliases: ["best"] });
    await registry.deleteRegisteredModel("renamed");
    expect((await registry.searchRegisteredModels({})).items).toMatchObject([
      { name: "theirs", tags: [{ value: "c" }, { value: "tag" }], latestVersions: [{ source: "s3://bucket/theirs" }] },
    ]);
  },
);
