// Appends argv[3] entries to the journal in argv[2], flushes and says so. Run it under `ulimit -f`:
// a write beyond the limit is cut, and the next one fails (EFBIG) although the disk has room.
import { writeSync } from "node:fs";
import { JournalWriter } from "../../../src/journal/journal-writer.ts";

// Without a handler the signal that comes with EFBIG kills.
process.on("SIGXFSZ", () => {});
const writer = JournalWriter.open(process.argv[2] ?? "", { retryMs: 1 });
const value = "x".repeat(200);
for (let count = Number(process.argv[3]); count > 0; count -= 1) {
  const operation = { op: "log-batch", runId: "r", tags: [{ key: "k", value }] } as const;
  writer.append({ receivedAt: 1, attempt: 1, operation });
}
await writer.flush();
writeSync(1, "flushed\n");
await writer.close();
