import { runStatuses } from "../../entities/run-status.ts";
import { captureModes } from "../../settings/run-options.ts";
import type { TrackingStore } from "../../store/tracking-store.ts";
import { type CommandSpec, flagWords, type OptionSpec } from "../command-spec.ts";
import { listExperiments } from "../find-experiment.ts";
import { newestRuns } from "../find-run.ts";
import { findCommand } from "../parse-arguments.ts";
import { shells } from "./shells.ts";

export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

export interface CompletionRequest {
  readonly table: readonly CommandSpec[];
  readonly groups: Readonly<Record<string, string>>;
  /** Whole words after `track`, as typed. */
  readonly words: readonly string[];
  /** The word that the cursor is at the end of. */
  readonly current: string;
  /** `undefined` where nothing is recorded. Asked for only where ids or names are wanted. */
  openStore(): Promise<TrackingStore | undefined>;
}

const shownRuns = 50;
const idLength = 8;

/** A wrapped command begins here: the shell knows best. */
const commandMark: Candidate = { value: ":command" };

/** What the current word may become, in order; empty where it is the shell's business, such as a file. */
export async function findCandidates(request: CompletionRequest): Promise<readonly Candidate[]> {
  const words = request.words.filter((word) => word !== "=").map(unquote);
  const current = unquote(request.current);
  const found = await candidatesFor({ ...request, words, current });
  return found.filter(({ value }) => value === commandMark.value || value.startsWith(current));
}

async function candidatesFor(request: CompletionRequest): Promise<readonly Candidate[]> {
  const { table, words, current } = request;
  const found = findCommand(table, words);
  const subcommands = words.length === 1 ? namesBelow(request, `${words[0]} `) : [];
  if (found === undefined) return words.length === 0 ? namesBelow(request, "") : subcommands;
  const place = placeOf(found.spec, found.rest);
  if (place.option !== undefined) return await valuesOf(request, place.option);
  const equals = /^(--[^=]+)=/u.exec(current);
  if (equals !== null && !place.isPassedOn) {
    const option = optionOf(found.spec, equals[1] ?? "");
    const values = option === undefined ? [] : await valuesOf(request, option);
    return values.map((candidate) => ({ ...candidate, value: `${equals[0]}${candidate.value}` }));
  }
  if (current.startsWith("-") && !place.isPassedOn) return flagsOf(found.spec);
  return [...subcommands, ...(await argumentsOf(request, found.spec, place.position))];
}

/** First words, or the second ones of a group. */
function namesBelow({ table, groups }: CompletionRequest, prefix: string): readonly Candidate[] {
  const names = new Map<string, string>();
  for (const { name, summary } of table) {
    if (!name.startsWith(prefix)) continue;
    const [word = "", second] = name.slice(prefix.length).split(" ");
    const description = second === undefined ? summary : (groups[word] ?? summary);
    if (!names.has(word) || second === undefined) names.set(word, description);
  }
  return Array.from(names, ([value, description]) => ({ value, description }));
}

interface Place {
  /** The option whose value comes now. */
  readonly option?: OptionSpec;
  /** How many arguments came before. */
  readonly position: number;
  /** Nothing is an option any more. */
  readonly isPassedOn: boolean;
}

function placeOf(spec: CommandSpec, rest: readonly string[]): Place {
  let position = 0;
  let isPassedOn = false;
  let option: OptionSpec | undefined;
  for (const word of rest) {
    if (option !== undefined) option = undefined;
    else if (word === "--" && !isPassedOn) isPassedOn = true;
    else if (isPassedOn || !word.startsWith("-") || word === "-") {
      position += 1;
      isPassedOn ||= spec.passThrough;
    } else {
      const found = word.includes("=") ? undefined : optionOf(spec, word);
      if (found?.parse !== undefined) option = found;
    }
  }
  return { position, isPassedOn, ...(option !== undefined && { option }) };
}

const optionOf = (spec: CommandSpec, flag: string): OptionSpec | undefined =>
  spec.options.find((option) => flagWords(option).includes(flag));

function flagsOf(spec: CommandSpec): readonly Candidate[] {
  const flags = spec.options.flatMap((option) => {
    const long = flagWords(option).find((word) => word.startsWith("--"));
    return long === undefined ? [] : [{ value: long, description: option.description }];
  });
  return [...flags, { value: "--help", description: "display help for command" }];
}

async function valuesOf(request: CompletionRequest, option: OptionSpec): Promise<readonly Candidate[]> {
  switch (settingOf(option)) {
    case "--experiment":
      return await experiments(request, ({ name }) => name);
    case "--experiment-id":
      return await experiments(request, ({ experimentId }) => experimentId);
    case "--run":
      return await runs(request);
    case "--run-id":
    case "--parent-run-id":
      return await runs(request, { isWhole: true });
    case "--status":
      return runStatuses.map((status) => ({ value: status.toLowerCase() }));
    case "--capture":
      return captureModes.map((value) => ({ value }));
    default:
      return [];
  }
}

const settingOf = (option: OptionSpec): string => flagWords(option).find((word) => word.startsWith("--")) ?? "";

async function argumentsOf(
  request: CompletionRequest,
  spec: CommandSpec,
  position: number,
): Promise<readonly Candidate[]> {
  const last = spec.arguments.length - 1;
  const isOpen = spec.arguments[last]?.includes("...") === true;
  const name = spec.arguments[isOpen ? Math.min(position, last) : position] ?? "";
  switch (name.replaceAll(/[<>[\].]/gu, "")) {
    case "run":
      return await runs(request);
    case "experiment":
      return await experiments(request, ({ name: value }) => value);
    case "shell":
      return shells.map((value) => ({ value }));
    case "command":
      return position === last ? [commandMark] : [];
    default:
      return [];
  }
}

/** Ids for an empty word; names as well once something is typed. */
async function runs(
  request: CompletionRequest,
  { isWhole = false }: { readonly isWhole?: boolean } = {},
): Promise<readonly Candidate[]> {
  await using store = await request.openStore();
  if (store === undefined) return [];
  const newest = await newestRuns(store, shownRuns);
  const isLong = isWhole || request.current.length > idLength;
  const ids = newest.map(({ info }) => ({
    value: isLong ? info.runId : info.runId.slice(0, idLength),
    description: `${info.runName} ${info.status}`,
  }));
  if (isWhole) return ids;
  const names = newest.map(({ info }) => ({ value: info.runName, description: info.runId.slice(0, idLength) }));
  const last = newest.length === 0 ? [] : [{ value: "@last", description: newest[0]?.info.runName ?? "" }];
  return [...last, ...ids, ...(request.current === "" ? [] : names)];
}

async function experiments(
  request: CompletionRequest,
  valueOf: (experiment: { readonly name: string; readonly experimentId: string }) => string,
): Promise<readonly Candidate[]> {
  await using store = await request.openStore();
  if (store === undefined) return [];
  const found = await listExperiments(store, "ACTIVE_ONLY");
  return found.map((experiment) => ({ value: valueOf(experiment), description: `id ${experiment.experimentId}` }));
}

/** `my\ run` and `"my run` as what they mean. */
function unquote(word: string): string {
  const quote = word[0];
  if (quote === '"' || quote === "'") return word.slice(1).replace(new RegExp(`${quote}$`, "u"), "");
  return word.replaceAll(/\\(.)/gu, "$1");
}
