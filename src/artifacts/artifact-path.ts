import { invalidParameter } from "../errors.ts";

/**
 * Throws `INVALID_PARAMETER_VALUE` unless `path` is relative, POSIX and normalized, so that it stays below the artifact root.
 * The empty path is the root itself.
 */
export function checkArtifactPath(path: string): void {
  if (path === "") return;
  const isSafe = path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (!isSafe || path.includes("\0"))
    throw invalidParameter(`Invalid artifact path: '${path.replaceAll("\0", String.raw`\0`)}'`);
}
