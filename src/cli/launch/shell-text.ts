import type { ShellSyntax } from "./shell-syntax.ts";

type Variables = Readonly<Record<string, string | undefined>>;

export interface StartText {
  readonly syntax: ShellSyntax;
  readonly runId: string;
  /** The shell's environment as it is, and as the run wants it. */
  readonly before: Variables;
  readonly after: Variables;
}

/**
 * What a shell evaluates to be in a run: its variables, a note of the earlier ones that is not exported, and the shell's pid for
 * the recorder. `$$` would be wrong in a subshell; and the line is not the last, since a shell becomes its last command.
 */
export function startText({ syntax, runId, before, after }: StartText): string {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => before[name] !== after[name],
  );
  const words = wordsOf(syntax);
  const earlier = names.map((name) => words.change(name, before[name])).join(" ");
  return lines([
    words.note(noteName(runId), earlier),
    ...names.map((name) => words.change(name, after[name])),
    words.tellPid,
  ]);
}

/** What puts the earlier variables back; where the shell has no note of them (another program than the one of the start) ours go. */
export function restoreText(syntax: ShellSyntax, runId: string): string {
  return lines([wordsOf(syntax).restore(noteName(runId))]);
}

const noteName = (runId: string): string => `_track_outer_${runId}`;

const lines = (statements: readonly string[]): string => statements.map((statement) => `${statement}\n`).join("");

const tellPid = `/bin/sh -c 'printf "{\\"shell_pid\\":%s}\\n" "$PPID" >>"$TRACK_LOG"'`;

/** Those that make sense only within a run. */
const ownNames =
  "MLFLOW_RUN_ID MLFLOW_RUN_CONTEXT MLFLOW_TRACKING_URI MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD " +
  "MLFLOW_TRACKING_TOKEN MLFLOW_EXPERIMENT_ID MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING TRACK_RUN_ID TRACK_ATTEMPT " +
  "TRACK_TRACKING_URI TRACK_SOCKET TRACK_LOG TRACK_NETWORK TRACK_AUTOLOG";

/** One statement each, ended: an `eval` without quotes makes one line of all. */
interface ShellWords {
  /** Exports, or removes where there is no value. */
  change(name: string, value: string | undefined): string;
  note(name: string, value: string): string;
  readonly tellPid: string;
  restore(note: string): string;
}

const posixWords: ShellWords = {
  change: (name, value) => (value === undefined ? `unset ${name};` : `export ${name}=${quotePosix(value)};`),
  note: (name, value) => `${name}=${quotePosix(value)};`,
  tellPid: `${tellPid} || :;`,
  restore: (note) => `eval "\${${note}-unset ${ownNames}}"; unset ${note};`,
};

const fishWords: ShellWords = {
  change: (name, value) => (value === undefined ? `set -e ${name};` : `set -gx ${name} ${quoteFish(value)};`),
  note: (name, value) => `set -g ${name} ${quoteFish(value)};`,
  tellPid: `${tellPid}; or true;`,
  restore: (note) => `if set -q ${note}; eval $${note}; set -e ${note}; else; set -e ${ownNames}; end;`,
};

const wordsOf = (syntax: ShellSyntax): ShellWords => (syntax === "fish" ? fishWords : posixWords);

const quotePosix = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

const quoteFish = (text: string): string => `'${text.replaceAll(/[\\']/gu, String.raw`\$&`)}'`;
