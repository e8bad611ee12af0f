import { UsageError } from "../errors.ts";
import type { KeyValue, RankOption } from "../settings/run-options.ts";
import { parseDuration } from "../util/duration.ts";
import { parseSize } from "../util/size.ts";

/** What an option's value is parsed with: `previous` is what an earlier use of the option gave. */
export type ValueParser<Value> = (text: string, previous: unknown) => Value;

/** Any text but the empty one. */
export function text(option: string): ValueParser<string> {
  return (given) => {
    if (given === "") throw new UsageError(`${option} needs a value`);
    return given;
  };
}

/** Any text, the empty one too. */
export const anyText: ValueParser<string> = (given) => given;

/** Each use adds one. */
export function texts(option: string): ValueParser<readonly string[]> {
  const one = text(option);
  return (given, previous) => [...((previous ?? []) as readonly string[]), one(given, undefined)];
}

/** `a,b,c`, blanks around the commas ignored. */
export function commaList(option: string): ValueParser<readonly string[]> {
  return (given) => {
    const items = given.split(",").map((item) => item.trim());
    if (items.includes("")) throw new UsageError(`${option} has an empty element: ${given}`);
    return items;
  };
}

/** Each use adds its `a,b,c`, every element once. */
export function commaLists(option: string): ValueParser<readonly string[]> {
  const list = commaList(option);
  return (given, previous) => [...new Set([...((previous ?? []) as readonly string[]), ...list(given, undefined)])];
}

/** A number from 0 to below 1. */
export function weight(option: string): ValueParser<number> {
  return (given) => {
    if (/^(?:0|0?\.\d+|0\.)$/u.test(given)) return Number(given);
    throw new UsageError(`${option} is not a number from 0 to below 1: ${given}`, { hint: `write ${option} 0.9` });
  };
}

/** Each use adds one `key=value`; of a repeated key the last one wins. */
export function tagPairs(option: string): ValueParser<readonly KeyValue[]> {
  return (given, previous) => {
    const pair = keyValue(option, given);
    return [...pairsOf(previous).filter(([key]) => key !== pair[0]), pair];
  };
}

/** Each use adds one `key=value`; the same key with another value is a mistake, since params are written once. */
export function paramPairs(option: string): ValueParser<readonly KeyValue[]> {
  return (given, previous) => {
    const [key, value] = keyValue(option, given);
    const pairs = pairsOf(previous);
    const earlier = pairs.find((pair) => pair[0] === key);
    if (earlier === undefined) return [...pairs, [key, value]];
    if (earlier[1] === value) return pairs;
    throw new UsageError(`param ${key} is given twice: ${earlier[1]} and ${value}`, {
      hint: `keep one of the two ${option} ${key}=...`,
    });
  };
}

/** Milliseconds of `90`, `90s`, `5m`, `1h30m`, `2d`, `500ms`. */
export function durationMs(option: string, bounds: { readonly canBeZero: boolean }): ValueParser<number> {
  return (given) => {
    const ms = parseDuration(given);
    if (ms === undefined) {
      throw new UsageError(`${option} is not a duration: ${given}`, { hint: "write 90, 90s, 5m, 1h30m, 2d or 500ms" });
    }
    if (ms === 0 && !bounds.canBeZero) throw new UsageError(`${option} must be more than 0: ${given}`);
    return ms;
  };
}

/** Seconds, fractions too; a duration with units is understood as well. */
export function seconds(option: string): ValueParser<number> {
  const parse = durationMs(option, { canBeZero: false });
  return (given) => parse(given, undefined) / 1000;
}

/** Bytes of `1GB`, `500MB`, `64MiB`. */
export function sizeBytes(option: string): ValueParser<number> {
  return (given) => {
    const bytes = parseSize(given);
    if (bytes !== undefined) return bytes;
    throw new UsageError(`${option} is not a size: ${given}`, { hint: "write 1GB, 500MB, 64MiB or a number of bytes" });
  };
}

/** A whole number of 1 or more. */
export function count(option: string): ValueParser<number> {
  return (given) => {
    if (/^\d{1,9}$/u.test(given) && Number(given) > 0) return Number(given);
    throw new UsageError(`${option} is not a whole number of 1 or more: ${given}`);
  };
}

/** A whole number, negative ones too. */
export function integer(option: string): ValueParser<number> {
  return (given) => {
    if (/^[+-]?\d{1,19}$/u.test(given) && Number.isSafeInteger(Number(given))) return Number(given);
    throw new UsageError(`${option} is not a whole number: ${given}`);
  };
}

/** An exit code as a shell knows it, 0 to 255. */
export function exitCode(option: string): ValueParser<number> {
  return (given) => {
    if (/^\d{1,3}$/u.test(given) && Number(given) <= 255) return Number(given);
    throw new UsageError(`${option} is not an exit code: ${given}`, { hint: `write ${option} $?` });
  };
}

/** One of `values`, in any case of letters. */
export function oneOf<Value extends string>(option: string, values: readonly Value[]): ValueParser<Value> {
  return (given) => {
    const found = values.find((value) => value.toLowerCase() === given.toLowerCase());
    if (found !== undefined) return found;
    throw new UsageError(`${option} is not known: ${given}`, { hint: `one of ${values.join(", ")}` });
  };
}

function keyValue(option: string, given: string): KeyValue {
  const equals = given.indexOf("=");
  if (equals > 0) return [given.slice(0, equals), given.slice(equals + 1)];
  const hint = `write ${option} key=value`;
  if (equals === 0) throw new UsageError(`${option} has no key: ${given}`, { hint });
  throw new UsageError(`${option} is not key=value: ${given}`, { hint });
}

/** What the parsers of a repeatable option have made so far: nothing else ever is in its field. */
function pairsOf(previous: unknown): readonly KeyValue[] {
  return (previous ?? []) as readonly KeyValue[];
}

/** `auto`, `off` or a number from 0 on. */
export function rank(option: string): ValueParser<RankOption> {
  return (given) => {
    if (given === "auto" || given === "off") return given;
    if (/^\d{1,9}$/u.test(given)) return Number(given);
    throw new UsageError(`${option} is neither auto nor off nor a rank: ${given}`, { hint: `write ${option} 3` });
  };
}
