import { setTimeout as sleep } from "node:timers/promises";
import { StoreError } from "../../../src/errors.ts";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite-store.ts";

// use-store.ts <database> <experiment name> [start time in ms]: opens for writing, creates the experiment,
// prints { experimentId } or { errorCode, message } as JSON.
const [path = "", name = "", startAt = "0"] = process.argv.slice(2);

await sleep(Math.max(Number(startAt) - Date.now(), 0));
try {
  await using store = await openSqliteStore(path, { mode: "write" });
  process.stdout.write(JSON.stringify({ experimentId: await store.createExperiment({ name }) }));
} catch (error) {
  if (!(error instanceof StoreError)) throw error;
  process.stdout.write(JSON.stringify({ errorCode: error.errorCode, message: error.message }));
}
