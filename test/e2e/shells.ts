import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

/** On every Debian machine. */
const always = ["bash", "dash"];

const isInstalled = (shell: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, shell)));

/** The shells of POSIX syntax that can be tested here; one that is missing is told. */
export const posixShells: readonly string[] = [...always, ...optional("zsh")];

/** fish, where it is installed. */
export const fishShells: readonly string[] = optional("fish");

function optional(shell: string): readonly string[] {
  if (isInstalled(shell)) return [shell];
  console.warn(`not tested: ${shell} is not installed`);
  return [];
}

/** Names in a folder, none where it is not there. */
export function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
