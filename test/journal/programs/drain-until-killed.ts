// Drains the journal in argv[2] into the database in argv[3]; says "idle" once all is stored.
import { writeSync } from "node:fs";
import { Drain } from "../../../src/journal/drain.ts";
import { openTrackingStore } from "../../../src/store/open-store.ts";

const drain = new Drain({
  folder: process.argv[2] ?? "",
  openStore: () => openTrackingStore(`sqlite:///${process.argv[3]}`, { mode: "write", busyTimeoutMs: 100 }),
  openArtifacts: () => Promise.reject(new Error("no artifacts here")),
  onStateChange: (state) => void writeSync(1, `${state.kind}\n`),
  cursorIntervalMs: 10,
});
drain.start();
await drain.idle();
await drain.stop();
