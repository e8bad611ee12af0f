import { readFileSync } from "node:fs";
import { hasCode } from "../util/error-code.ts";

/** What Node puts in place of bytes that are no UTF-8. */
const replacement = "\u{fffd}";

/**
 * Words that start the command with the very bytes that the wrapper was given, where Node's view of an argument or of a variable's
 * value has lost some: a shell that makes them again. `undefined` in the ordinary case. Bytes of variables that this process did not
 * get itself cannot be made again.
 */
export function exactWords(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): readonly string[] | undefined {
  const suspects = Object.entries(env).filter(([, value]) => value.includes(replacement));
  if (suspects.length === 0 && !argv.some((arg) => arg.includes(replacement))) return undefined;
  const rawArgs = readEntries("/proc/self/cmdline").slice(-argv.length);
  const rawEnv = readEntries("/proc/self/environ");
  const script = new ScriptWriter();
  const args = argv.map((arg, index) => script.word(arg, rawArgs[index]));
  const assignments = suspects.map(([name, value]) => {
    const raw = rawEnv
      .map((entry) => entry.replace(/^_TRACK_LAUNCH_ASIDE_/u, ""))
      .find((entry) => entry.startsWith(`${name}=`));
    return script.word(`${name}=${value}`, raw);
  });
  // A shell drops such names and sets PWD by itself.
  const dropped = Object.entries(env).filter(
    ([name]) => !/^[A-Za-z_]\w*$/u.test(name) && !suspects.some(([own]) => own === name),
  );
  for (const [name, value] of dropped) assignments.push(quote(`${name}=${value}`));
  const pwd = env["PWD"];
  const shellPwd = pwd === undefined ? ["-u", "PWD"] : [];
  if (pwd !== undefined && !pwd.includes(replacement)) assignments.push(quote(`PWD=${pwd}`));
  const before = (argv[0] ?? "").includes("=") ? "" : ["env", ...shellPwd, "--", ...assignments].join(" ");
  return ["/bin/sh", "-c", `${script.lines.join("\n")}\nexec ${before} ${args.join(" ")}`];
}

class ScriptWriter {
  readonly lines: string[] = [];

  /** A word for the shell that stands for `raw` (Latin-1), if that is what Node has made `text` from, else for `text`. */
  word(text: string, raw: string | undefined): string {
    const isRaw = text.includes(replacement) && raw !== undefined && Buffer.from(raw, "latin1").toString() === text;
    if (!isRaw) return quote(text);
    const name = `_tl_${this.lines.length}`;
    const bytes = Array.from(Buffer.from(raw, "latin1"), (byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
    // The x keeps newlines at the end from being cut off.
    this.lines.push(`${name}=$(printf '${bytes}x'); ${name}=\${${name}%x}`);
    return `"$${name}"`;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** The entries of a list that ends each one with a NUL, as Latin-1, so that each character is a byte. */
function readEntries(path: string): string[] {
  try {
    return readFileSync(path, "latin1").split("\0").slice(0, -1);
  } catch (error) {
    if (hasCode(error, "ENOENT", "EACCES", "EPERM", "EMFILE")) return [];
    throw error;
  }
}
