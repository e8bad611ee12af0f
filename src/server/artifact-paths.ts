import { checkArtifactPath } from "../artifacts/artifact-path.ts";
import { invalidParameter, StoreError } from "../errors.ts";

/** The folder that a client means, which may end in a slash; the empty path is the root. */
export function safeArtifactFolder(path: string): string {
  return safeArtifactPath(path.replace(/(?<=[^/])\/+$/u, ""));
}

/** The file that a client means; it needs a name. What is not inside of its root is refused: "Invalid path", `INVALID_PARAMETER_VALUE`. */
export function safeArtifactFile(path: string): string {
  const file = safeArtifactPath(path);
  if (file === "") throw invalidPath();
  return file;
}

/**
 * Decoded until nothing changes (mlflow/utils/uri.py `validate_path_is_safe`), then it must be inside of its root:
 * absolute paths, `..`, backslashes, `#` and control characters are refused.
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

/**
 * As Python's `unquote`, a `%` that begins no escape stays. So does one whose bytes are no UTF-8: MLflow's client sends the `%ce` in the
 * name `per%cent` as it is.
 */
export function percentDecode(text: string): string {
  if (!text.includes("%")) return text;
  return text.replaceAll(/(?:%[0-9a-f]{2})+/giu, (escapes) => {
    const decoded = Buffer.from(escapes.replaceAll("%", ""), "hex").toString();
    return decoded.includes("\ufffd") ? escapes : decoded;
  });
}

function invalidPath(): Error {
  return invalidParameter("Invalid path");
}
