// Claims the journal in argv[2] (argv[3]: socket or file), says "held" or "refused", and holds on.
import { writeSync } from "node:fs";
import type { ClaimKind } from "../../../src/journal/claim.ts";
import { claimJournal } from "../../../src/journal/claim.ts";

const claim = await claimJournal(process.argv[2] ?? "", process.argv[3] as ClaimKind);
writeSync(1, claim === undefined ? "refused\n" : "held\n");
if (claim !== undefined) setInterval(() => {}, 60_000);
