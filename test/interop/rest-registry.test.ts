import { expect, test } from "vitest";
import { plainAccess } from "../../src/entities/server-access.ts";
import { StoreError } from "../../src/errors.ts";
import type { RegistryStore } from "../../src/store/registry-store.ts";
import { openRestStore } from "../../src/store/rest/rest-store.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { makeTestFolder } from "./interop-folder.ts";
import { newestMlflow } from "./mlflow-versions.ts";
import { serveMlflow } from "./served.ts";
import { describeWith } from "./with-mlflow.ts";

describeWith(newestMlflow)("the model registry of a tracking server", () => {
  const served = serveMlflow();

  test("does, call by call, what that of a database does", async () => {
    await using remote = openRestStore(plainAccess(served.server.url));
    await using local = await openSqliteStore(`${makeTestFolder()}/mlflow.db`, { mode: "write" });
    const [there, here] = [await remote.openRegistry(), await local.openRegistry()];
    for (const [name, step] of Object.entries(steps)) {
      expect(await outcome(step, there), name).toEqual(await outcome(step, here));
    }
  });
});

/** A server takes no local path. */
const source = "s3://bucket/model";

/** In this order, since each goes on from the one before. */
const steps: Readonly<Record<string, (registry: RegistryStore) => Promise<unknown>>> = {
  create: (r) => r.createRegisteredModel({ name: "net", description: "d", tags: [{ key: "a", value: "1" }] }),
  "create again": (r) => r.createRegisteredModel({ name: "net" }),
  "create another": (r) => r.createRegisteredModel({ name: "other" }),
  "no name": (r) => r.createRegisteredModel({ name: "" }),
  unknown: (r) => r.getRegisteredModel("nobody"),
  describe: (r) => r.updateRegisteredModel("net", "better"),
  "set tag": (r) => r.setRegisteredModelTag("net", { key: "b", value: "ü" }),
  "delete tag": (r) => r.deleteRegisteredModelTag("net", "a"),
  "delete no tag": (r) => r.deleteRegisteredModelTag("net", "none"),
  "first version": (r) =>
    r.createModelVersion({ name: "net", source, description: "v1", tags: [{ key: "t", value: "1" }] }),
  "second version": (r) => r.createModelVersion({ name: "net", source }),
  "version of nobody": (r) => r.createModelVersion({ name: "nobody", source }),
  version: (r) => r.getModelVersion("net", 1),
  "unknown version": (r) => r.getModelVersion("net", 99),
  alias: (r) => r.setRegisteredModelAlias("net", "champion", 1),
  "by alias": (r) => r.getModelVersionByAlias("net", "champion"),
  "no such alias": (r) => r.getModelVersionByAlias("net", "nobody"),
  stage: (r) => r.transitionModelVersionStage("net", 1, { stage: "Production" }),
  "stage of the second": (r) => r.transitionModelVersionStage("net", 2, { stage: "Production", archiveExisting: true }),
  latest: (r) => r.getLatestVersions("net"),
  "latest of a stage": (r) => r.getLatestVersions("net", ["Archived"]),
  "version tag": (r) => r.setModelVersionTag("net", 2, { key: "k", value: "v" }),
  "delete version tag": (r) => r.deleteModelVersionTag("net", 1, "t"),
  "describe version": (r) => r.updateModelVersion("net", 2, "second"),
  "download uri": (r) => r.getModelVersionDownloadUri("net", 2),
  whole: (r) => r.getRegisteredModel("net"),
  search: (r) => r.searchRegisteredModels({ filter: "name LIKE 'n%'", orderBy: ["name ASC"] }),
  "first page": async (r) => (await r.searchRegisteredModels({ maxResults: 1, orderBy: ["name DESC"] })).items,
  "search versions": (r) => r.searchModelVersions({ filter: "name = 'net'", orderBy: ["version_number DESC"] }),
  rename: (r) => r.renameRegisteredModel("net", "network"),
  "delete alias": (r) => r.deleteRegisteredModelAlias("network", "champion"),
  "delete version": (r) => r.deleteModelVersion("network", 1),
  "a number is never given again": (r) => r.createModelVersion({ name: "network", source }),
  delete: (r) => r.deleteRegisteredModel("network"),
  gone: (r) => r.getRegisteredModel("network"),
  "the other is left": (r) => r.searchRegisteredModels({}),
};

/** What a step answers, without times and empty texts; a refusal by its code. */
async function outcome(step: (registry: RegistryStore) => Promise<unknown>, registry: RegistryStore): Promise<unknown> {
  try {
    const text = JSON.stringify((await step(registry)) ?? "done");
    return JSON.parse(text, (key, value: unknown) => {
      if (value === "") return undefined;
      return key.endsWith("Timestamp") ? typeof value : value;
    }) as unknown;
  } catch (error) {
    if (error instanceof StoreError) return error.errorCode;
    throw error;
  }
}
