import { enableCompileCache } from "node:module";
import { join } from "node:path";

// Compiled code is kept beside the program (where that can be written), since the command waits for every compilation.
if (import.meta.filename.endsWith(".js")) enableCompileCache(join(import.meta.dirname, ".cache"));
const { main } = await import("./main.ts");
process.exit(await main(process.argv.slice(2)));
