import { enableCompileCache } from "node:module";
import { join } from "node:path";

// As in src/boot.ts: the wrapper waits for the end of a short run, and so for this program's start.
if (import.meta.filename.endsWith(".js")) enableCompileCache(join(import.meta.dirname, ".cache"));
await import("./recorder-main.ts");
