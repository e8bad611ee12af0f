import { statSync } from "node:fs";
import { hasCode } from "./error-code.ts";

/** Whether something lies at `path`; what cannot be looked at counts as there, since opening it will tell more. */
export function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (hasCode(error, "ENOTDIR", "ELOOP", "EACCES", "EIO", "ENAMETOOLONG")) return true;
    throw error;
  }
}
