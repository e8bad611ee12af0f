import { rm } from "node:fs/promises";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { makeFolder } from "./sqlite-rig.ts";
import { describeTrackingStore } from "./tracking-store-contract.ts";

describeTrackingStore("SQLite store", async () => {
  const folder = await makeFolder();
  const store = await openSqliteStore(`${folder}/mlflow.db`, { mode: "write" });
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
});
