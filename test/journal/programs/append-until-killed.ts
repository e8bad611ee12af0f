// Appends to the journal in argv[2], in segments of argv[3] bytes, until it is killed; says "<sequence>" once an entry is acknowledged, by flush and by appendNow in turn.
import { writeSync } from "node:fs";
import { JournalWriter } from "../../../src/journal/journal-writer.ts";

const writer = JournalWriter.open(process.argv[2] ?? "", { segmentBytes: Number(process.argv[3]) });
const padding = "x".repeat(300);

for (let round = 0; ; round += 1) {
  const operation = { op: "log-batch", runId: "r", tags: [{ key: "k", value: padding.repeat(round % 7) }] } as const;
  for (let index = 0; index < 20; index += 1) writer.append({ receivedAt: 1, attempt: 1, operation });
  if (round % 2 === 0) await writer.flush();
  else await writer.appendNow({ receivedAt: 1, attempt: 1, operation });
  writeSync(1, `${writer.lastSequence}\n`);
}
