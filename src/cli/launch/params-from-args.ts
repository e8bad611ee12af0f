import type { Param } from "../../entities/param.ts";
import { findKeyFault } from "../../entities/validation.ts";
import { isShell, readCommandSource } from "../../provenance/command-source.ts";

const option = /^--?([A-Za-z][\w.:/@-]*)(?:=(.*))?$/su;
/** Hydra: `lr=0.01`, `+model.depth=3`, `++seed=1`; `db@src=mysql` names a package. */
const assignment = /^\+{0,2}([A-Za-z_][\w.:/@-]*)=(.*)$/su;
const number = /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/iu;

/**
 * Params of a command line, behind the script that it starts: `--lr 0.01`, `--lr=0.01`, `-b 32`, `lr=0.01`, `+a.b=c`. An option
 * without a value is `true`; one with several numbers has them all, a blank between them. Of a repeated name the last value
 * counts, as in argparse. The words of a shell line (`sh -c "..."`) are not looked into.
 */
export function paramsFromArgs(command: readonly string[]): readonly Param[] {
  const params = new Map<string, string>();
  const words = argumentsOf(command);
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    if (word === "--") break;
    const [, name, attached] = number.test(word) ? [] : (option.exec(word) ?? []);
    if (name !== undefined) {
      const values = attached === undefined ? valuesOf(words.slice(index + 1)) : [attached];
      setParam(params, name, values.length === 0 ? "true" : values.join(" "));
      if (attached === undefined) index += values.length;
      continue;
    }
    const [, key, value = ""] = assignment.exec(word) ?? [];
    if (key !== undefined) setParam(params, key, value);
  }
  return Array.from(params, ([key, value]) => ({ key, value }));
}

/** What stands behind the script or module: options before it are the interpreter's. Code on the command line has none. */
function argumentsOf(command: readonly string[]): readonly string[] {
  const { name, program } = readCommandSource(command);
  if (name === "-c" || (name === program && isShell(program))) return [];
  const from = Math.max(0, command.indexOf(program));
  const found = command.indexOf(name, from);
  return command.slice((found === -1 ? from : found) + 1);
}

/** The values of an option: the next word, or all numbers that follow. */
function valuesOf(rest: readonly string[]): readonly string[] {
  const [first] = rest;
  if (first === undefined || (first.startsWith("-") && first !== "-" && !number.test(first))) return [];
  if (!number.test(first)) return assignment.test(first) && /^[\w.+]+=/u.test(first) ? [] : [first];
  const end = rest.findIndex((word) => !number.test(word));
  return end === -1 ? rest : rest.slice(0, end);
}

/** A name that MLflow refuses is left out: the whole command line stands in `track.command`. */
function setParam(params: Map<string, string>, name: string, value: string): void {
  const key = name.replaceAll("@", "_");
  if (findKeyFault(key) !== undefined) return;
  params.delete(key);
  params.set(key, value);
}
