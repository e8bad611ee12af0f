import { createRequire } from "node:module";
import { logQuickly } from "./cli/log-quickly.ts";

// What bin/track starts for `track log`, which scripts call by the thousand.
process.exitCode = 13;
const done = logQuickly(process.argv.slice(2), process.env);
// Not bundled once more: it lies beside this file.
if (done === undefined) createRequire(import.meta.url)("./main.cjs");
else void done.then((exitCode) => process.exit(exitCode));
