import type { Run } from "../entities/run.ts";
import { UsageError } from "../errors.ts";
import type { RunFields } from "../store/run-fields.ts";
import {
  dataColumn,
  fixedColumn,
  fixedColumnName,
  fixedColumnNames,
  fixedColumnTags,
  type RunColumn,
  type RunColumnContext,
} from "./run-columns.ts";

type DataKind = "metrics" | "params" | "tags";

/** A column as it was asked for; a bare name is some key of the runs' data, which only the runs can tell. */
export type ColumnChoice =
  | { readonly kind: "fixed"; readonly name: string }
  | { readonly kind: DataKind; readonly key: string }
  | { readonly kind: "bare"; readonly name: string };

const dataKinds: readonly DataKind[] = ["metrics", "params", "tags"];

/** `run_id`, `name`, ..., `params.<key>`, `metrics.<key>`, `tags.<key>`, or the key alone. A prefix without a key: `UsageError`. */
export function parseColumnName(name: string): ColumnChoice {
  const prefixed = /^(metric|param|parameter|tag|attribute|attr)s?\.(.*)$/su.exec(name);
  const key = prefixed?.[2] ?? "";
  switch (prefixed?.[1]) {
    case undefined: {
      const fixed = fixedColumnName(name);
      return fixed === undefined ? { kind: "bare", name } : { kind: "fixed", name: fixed };
    }
    case "metric":
    case "tag":
      if (key === "") break;
      return { kind: prefixed?.[1] === "tag" ? "tags" : "metrics", key };
    case "attribute":
    case "attr": {
      const fixed = fixedColumnName(key);
      if (fixed === undefined) break;
      return { kind: "fixed", name: fixed };
    }
    default:
      if (key === "") break;
      return { kind: "params", key };
  }
  throw unknownColumn(name);
}

/** The data that these columns read. A bare name may be any kind's key. */
export function fieldsOf(choices: readonly ColumnChoice[]): RunFields {
  const keys = (kind: DataKind) =>
    choices.flatMap((choice) => (choice.kind === kind ? [choice.key] : choice.kind === "bare" ? [choice.name] : []));
  const fixedTags = choices.flatMap((choice) => (choice.kind === "fixed" ? fixedColumnTags(choice.name) : []));
  return { metrics: keys("metrics"), params: keys("params"), tags: [...keys("tags"), ...fixedTags] };
}

/**
 * The columns themselves. A bare name is the key that these runs have, or else the only one that ends in it behind a `/` or
 * a dot; `UsageError` where it can be more than one, or where no run has it. Where nothing is listed it is not judged.
 */
export function makeColumns(
  choices: readonly ColumnChoice[],
  runs: readonly Run[],
  context: RunColumnContext,
): readonly RunColumn[] {
  return choices.map((choice) => {
    if (choice.kind === "fixed") return fixedColumn(choice.name, context);
    const found = choice.kind === "bare" ? resolveBare(choice.name, runs) : choice;
    return dataColumn(found.kind, found.key);
  });
}

interface DataKey {
  readonly kind: DataKind;
  readonly key: string;
}

/** What the bare names mean, as far as these runs can tell; the others stay as they are. */
export function settleBareNames(choices: readonly ColumnChoice[], runs: readonly Run[]): readonly ColumnChoice[] {
  return choices.map((choice) => {
    if (choice.kind !== "bare") return choice;
    const [first, ...others] = candidates(choice.name, runs);
    return first !== undefined && others.length === 0 ? first : choice;
  });
}

function resolveBare(name: string, runs: readonly Run[]): DataKey {
  const found = candidates(name, runs);
  const [first] = found;
  if (found.length > 1) {
    const names = found.map(({ kind, key }) => `${kind}.${key}`);
    throw new UsageError(`--columns ${name} can be more than one`, { hint: `one of ${names.slice(0, 5).join(", ")}` });
  }
  if (first !== undefined) return first;
  if (runs.length === 0) return { kind: "metrics", key: name };
  throw unknownColumn(name);
}

function candidates(name: string, runs: readonly Run[]): readonly DataKey[] {
  const having = (isWanted: (key: string) => boolean) =>
    dataKinds.flatMap((kind) => {
      const keys = new Set<string>();
      for (const run of runs) for (const { key } of run.data[kind]) if (isWanted(key)) keys.add(key);
      return Array.from(keys, (key) => ({ kind, key }));
    });
  const exact = having((key) => key === name);
  return exact.length > 0 ? exact : having((key) => key.endsWith(`/${name}`) || key.endsWith(`.${name}`));
}

function unknownColumn(name: string): UsageError {
  const names = [...fixedColumnNames, "params.<key>", "metrics.<key>", "tags.<key>"];
  return new UsageError(`--columns is not known: ${name}`, { hint: `one of ${names.join(", ")}` });
}
