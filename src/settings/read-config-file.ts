import { readFileSync } from "node:fs";
import { TrackError, UsageError } from "../errors.ts";
import { hasCode, messageOf } from "../util/error-code.ts";

export interface ConfigEntry {
  readonly key: string;
  /** As TOML has it. */
  readonly value: unknown;
  /** Counted from 1. */
  readonly line: number;
}

/** The entries of a file, in its order. What is no TOML, and a file that may not be read: `UsageError` naming file and line. */
export async function readConfigFile(path: string): Promise<readonly ConfigEntry[]> {
  const text = readText(path);
  // Most folders have no such file, and pay nothing for the parser.
  const { parse, TomlError } = await import("smol-toml");
  try {
    const table = parse(text);
    return Object.entries(table).map(([key, value]) => ({ key, value, line: lineOf(text, key) }));
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ""] = error.message.replace(/^Invalid TOML document: /u, "").split("\n");
    throw new UsageError(`${path}:${error.line}: ${keyBefore(text, error.line)}${reason}`, {
      hint: `such as: experiment = "digits"`,
      cause: error,
    });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const message = `cannot read ${path}: ${messageOf(error)}`;
    if (hasCode(error, "EACCES", "EPERM")) {
      throw new UsageError(message, { hint: "make it readable, or remove it", cause: error });
    }
    throw new TrackError(message, { cause: error });
  }
}

/** The key that the parser was at, with `: ` behind it; nothing where none begins on that line or above. */
function keyBefore(text: string, line: number): string {
  const keys = text
    .split(/\r?\n/u)
    .slice(0, line)
    .map((one) => /^\s*\[*\s*["']?([\w.-]+)["']?\s*[=\]]/u.exec(one)?.[1])
    .filter((key) => key !== undefined);
  return keys.length === 0 ? "" : `${keys.at(-1)}: `;
}

/** The line on which a top-level key or its table begins. */
function lineOf(text: string, key: string): number {
  const name = key.replaceAll(/[.*+?^${}()|[\]\\]/gu, String.raw`\$&`);
  const pattern = new RegExp(String.raw`^\s*(?:\[\s*)?["']?${name}["']?\s*[=.\]]`, "u");
  return text.split(/\r?\n/u).findIndex((line) => pattern.test(line)) + 1;
}
