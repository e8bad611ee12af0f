import { delimiter, join } from "node:path";
import type { Environment } from "../../settings/tracking-uri.ts";
import { readLink, readOrUndefined } from "../../util/proc.ts";

/** Holds `sitecustomize.py` alone, since every Python below the command looks there first. Beside the bundle, or in the checkout. */
const hookFolder = import.meta.filename.endsWith(".ts")
  ? join(import.meta.dirname, "../../python-hook")
  : join(import.meta.dirname, "python-hook");

/**
 * What makes Python processes below the command load the hook: its folder in front of the user's own PYTHONPATH, which never gets
 * an empty entry from us, and what the hook compares to see whether it runs where the loopback endpoint is.
 */
export function pythonHookVariables(
  env: Environment,
  options: { readonly autolog: boolean; readonly folder?: string },
): Record<string, string> {
  const folder = options.folder ?? hookFolder;
  if (folder.includes(delimiter)) return {};
  const own = (env["PYTHONPATH"] ?? "").split(delimiter).filter((entry) => entry !== folder);
  return {
    PYTHONPATH: own.join("") === "" ? folder : [folder, ...own].join(delimiter),
    TRACK_NETWORK: network(),
    ...(options.autolog && { TRACK_AUTOLOG: "1" }),
  };
}

/** The host, as its boot id, and the network namespace; empty where there is no /proc. */
function network(): string {
  const bootId = readOrUndefined("/proc/sys/kernel/random/boot_id")?.trim();
  const namespace = readLink("/proc/self/ns/net");
  return bootId === undefined || namespace === undefined ? "" : `${bootId} ${namespace}`;
}

/** The option with which a command's own Python interpreter keeps the hook out, such as `-I`. Other commands have none. */
export function hookIgnoringFlag(command: readonly string[]): string | undefined {
  const [program = "", ...words] = command;
  if (!/^(?:.*\/)?python[\d.]*$/u.test(program)) return undefined;
  for (let word = words.shift(); word !== undefined && /^-[^-]/u.test(word); word = words.shift()) {
    // Letters stand together; what follows these is a value, a program or a module.
    const [letters = "", value] = word.slice(1).split(/(?<=[cmWX])/u);
    const found = /[ISE]/u.exec(letters);
    if (found !== null) return `-${found[0]}`;
    if (/[cm]$/u.test(letters)) return undefined;
    if (/[WX]$/u.test(letters) && value === undefined) words.shift();
  }
  return undefined;
}
