import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { isTransient } from "../../../src/errors.ts";
import { openTrackingStore } from "../../../src/store/open-store.ts";

/**
 * `make-experiments.ts <uri> <stop file>`: experiments with a tag, some 30 a second, until the file appears; what is refused
 * for now is said again, as the drain does. Prints how many; the names are their numbers.
 */
async function main(uri: string, stopFile: string): Promise<void> {
  await using store = await openTrackingStore(uri, { mode: "write" });
  let count = 0;
  while (!existsSync(stopFile)) {
    const name = String(count);
    try {
      const made = await store.getExperimentByName(name);
      const experimentId = made?.experimentId ?? (await store.createExperiment({ name }));
      await store.setExperimentTag(experimentId, { key: "name", value: name });
      count += 1;
    } catch (error) {
      if (!isTransient(error)) throw error;
    }
    // Without a pause MLflow's migration, which waits 5 s for the lock, may never get it.
    await setTimeout(25);
  }
  process.stdout.write(String(count));
}

const [uri = "", stopFile = ""] = process.argv.slice(2);
await main(uri, stopFile);
