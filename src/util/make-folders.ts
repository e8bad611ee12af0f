import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { hasCode } from "./error-code.ts";
import { isThere } from "./files.ts";

/**
 * Makes a folder and its missing parents, as `mkdir -p`. Node's own `recursive` never returns where a folder cannot be made
 * for ENOENT, as below /proc; here that is thrown.
 */
export function makeFolders(path: string, mode?: number): void {
  if (isThere(path)) return;
  makeFolders(dirname(path), mode);
  try {
    mkdirSync(path, mode);
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!hasCode(error, "EEXIST")) throw error;
  }
}
