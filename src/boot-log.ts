import { logQuickly } from "./cli/log-quickly.ts";

// What bin/track starts for `track log`, which scripts call by the thousand.
process.exitCode = 13;
const done = logQuickly(process.argv.slice(2), process.env);
// Not bundled once more: it lies beside this file.
if (done === undefined) void import(new URL("main.js", import.meta.url).href);
else void done.then((exitCode) => process.exit(exitCode));
