import { main } from "./main.ts";

// What Node itself says of a program that ends with its work undone.
process.exitCode = 13;
// No top-level await: a lazy chunk that imports this file would wait for it, and it for the chunk.
void main(process.argv.slice(2)).then((exitCode) => process.exit(exitCode));
