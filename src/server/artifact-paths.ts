import { checkArtifactPath } from "../artifacts/artifact-path.ts";
import { invalidParameter, StoreError } from "../errors.ts";

/**
 * The path that a client means: decoded until nothing changes (mlflow/utils/uri.py `validate_path_is_safe`), and inside of its root.
 * Absolute paths, `..`, backslashes, `#` and control characters are refused: "Invalid path", `INVALID_PARAMETER_VALUE`.
 */
function safeArtifactPath(path: string): string {
  const decoded = decodeFully(path);
  if (decoded === undefined || /[#\\\u0000-\u001f\u007f]/u.test(decoded) || /^[A-Za-z]:\//u.test(decoded)) {
    throw invalidPath();
  }
  try {
    checkArtifactPath(decoded);
  } catch (error) {
    if (error instanceof StoreError) throw invalidPath();
    throw error;
  }
  return decoded;
}

/** The same, of a folder, which may end in a slash. */
export function safeArtifactFolder(path: string): string {
  return safeArtifactPath(path.replace(/(?<=[^/])\/+$/u, ""));
}

/** The same, of a file, which needs a name. */
export function safeArtifactFile(path: string): string {
  const file = safeArtifactPath(path);
  if (file === "") throw invalidPath();
  return file;
}

const mostRounds = 10;

function decodeFully(path: string): string | undefined {
  let decoded = path;
  for (let round = 0; round < mostRounds; round += 1) {
    const next = percentDecode(decoded);
    if (next === decoded) return decoded;
    decoded = next;
  }
  return undefined;
}

/** As Python's `unquote`: a `%` that begins no escape stays, and bytes that are no UTF-8 become U+FFFD. */
export function percentDecode(text: string): string {
  if (!text.includes("%")) return text;
  return text.replaceAll(/(?:%[0-9a-f]{2})+/giu, (escapes) =>
    Buffer.from(escapes.replaceAll("%", ""), "hex").toString(),
  );
}

function invalidPath(): Error {
  return invalidParameter("Invalid path");
}
