import { maskMark } from "./mask-mark.ts";
import { findEnvironmentSecrets, isHarmlessValue, isSecretName } from "./secret-names.ts";
import { noMatch, allShapes, Scan, wordCharacters } from "./secret-shapes.ts";
import { addSpan, mergeSpans, type Span } from "./spans.ts";
import { prepareStreamPatterns, StreamMasker, type StreamPatterns } from "./stream-masker.ts";

export { isSecretName } from "./secret-names.ts";
export { StreamMasker } from "./stream-masker.ts";

/** The one place that decides what is a secret (records.md, Secrets). Nothing here throws; what holds no secret comes back as it was. */
export interface SecretMasker {
  /** False with `--no-redact`: every function hands its input back. */
  readonly masksAnything: boolean;
  /** It masks values that only the environment tells of. */
  readonly hasSecrets: boolean;
  /** The argv as it may be stored; the very same array when nothing was masked. */
  maskArgv(argv: readonly string[]): readonly string[];
  /** Value of a param, tag or variable: whole when the key says so, else what is secret in it. */
  maskKeyValue(key: string, value: string): string;
  /** `key=value` pairs, URLs, known tokens and values of secret variables in running text. */
  maskText(text: string): string;
  /** One URL: its userinfo and secret query values. */
  maskUrl(url: string): string;
  /** For one stream of bytes: the console log, the git diff. */
  createStreamMasker(): StreamMasker;
}

export interface MaskerOptions {
  /** False for `--no-redact`. */
  readonly enabled: boolean;
}

/** Knows the secret-named variables of `env` by their values; cheap enough for before the spawn. */
export function createMasker(env: Readonly<Record<string, string | undefined>>, options: MaskerOptions): SecretMasker {
  return options.enabled ? maskerOf(findEnvironmentSecrets(env)) : openMasker;
}

/** Whether a recorded argv lacks a secret, so that it can't be run again by itself. */
export function isMasked(argv: readonly string[]): boolean {
  return argv.some((argument) => argument.includes(maskMark));
}

const openMasker: SecretMasker = {
  masksAnything: false,
  hasSecrets: false,
  maskArgv: (argv) => argv,
  maskKeyValue: (_key, value) => value,
  maskText: (text) => text,
  maskUrl: (url) => url,
  createStreamMasker: () => new StreamMasker(),
};

function maskerOf(secrets: readonly string[]): SecretMasker {
  const maskText = (text: string): string => replaceSpans(text, findSecrets(text, secrets));
  let patterns: StreamPatterns | undefined;
  return {
    masksAnything: true,
    hasSecrets: secrets.length > 0,
    maskArgv(argv) {
      const masked = argv.map((argument, index) => maskArgument(argument, argv[index - 1], secrets));
      return masked.some((argument, index) => argument !== argv[index]) ? masked : argv;
    },
    maskKeyValue: (key, value) => (isSecretName(key) && !isHarmless(value) ? maskMark : maskText(value)),
    maskText,
    maskUrl: (url) => maskText(maskUserInfo(url)),
    createStreamMasker: () => new StreamMasker((patterns ??= prepareStreamPatterns(secrets))),
  };
}

function maskArgument(argument: string, previous: string | undefined, secrets: readonly string[]): string {
  if (previous !== undefined && !argument.startsWith("-") && isSecretOption(previous) && !isHarmless(argument))
    return maskMark;
  const isShellLine = /^-[a-z]*c$/u.test(previous ?? "");
  const assignment = /^([-+~]{0,2}([\w.@/-]+)=)(.+)$/su.exec(argument);
  if (assignment !== null && !isShellLine && isSecretName(assignment[2] ?? "") && !isHarmless(assignment[3] ?? "")) {
    return `${assignment[1] ?? ""}${maskMark}`;
  }
  const spans = findSecrets(argument, secrets);
  if (/\s/u.test(argument)) addNamed(spans, argument, optionPattern);
  return replaceSpans(argument, spans);
}

function isSecretOption(argument: string): boolean {
  return /^--?[A-Za-z][\w.-]*$/u.test(argument) && isSecretName(argument);
}

const value = String.raw`("[^"]*"|'[^']*'|[^\s"'${"`"};&|<>()[\]{},$]+)`;
const assignmentPattern = new RegExp(String.raw`(?<![\w.-])[-+]{0,2}([A-Za-z_][\w.-]*)=${value}`, "gu");
/** In a shell line that is one argument (`sh -c "..."`); in prose `--token` is followed by ordinary words. */
const optionPattern = new RegExp(String.raw`(?<![\w-])--?([A-Za-z][\w.-]*)[ \t]+(?!-)${value}`, "gu");
const pairPattern = /(?<quote>["'])([A-Za-z_][\w.-]*)\k<quote>\s*:\s*("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')/gu;

function findSecrets(text: string, secrets: readonly string[]): Span[] {
  const spans: Span[] = [];
  for (const secret of secrets) addOccurrences(spans, text, secret);
  addShapes(spans, text);
  if (text.includes("=")) addNamed(spans, text, assignmentPattern);
  if (text.includes(":")) addNamed(spans, text, pairPattern);
  return spans;
}

function addOccurrences(spans: Span[], text: string, secret: string): void {
  for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1)) {
    spans.push({ start: at, end: at + secret.length });
  }
}

function addShapes(spans: Span[], text: string): void {
  let scan: Scan | undefined;
  for (const shape of allShapes) {
    for (let at = text.indexOf(shape.prefix); at !== -1; at = text.indexOf(shape.prefix, at + 1)) {
      if (shape.isWord && at > 0 && wordCharacters[text.charCodeAt(at - 1)] === 1) continue;
      scan ??= new Scan(codeUnitsOf(text), text.length, true);
      const from = at + shape.prefix.length;
      const end = shape.match(scan, from);
      if (end !== noMatch) addSpan(spans, { start: shape.keepsPrefix ? from : at, end });
    }
  }
}

function codeUnitsOf(text: string): Uint16Array {
  const units = new Uint16Array(text.length);
  for (let index = 0; index < text.length; index += 1) units[index] = text.charCodeAt(index);
  return units;
}

/** Values, without their quotes, of the pairs that `pattern` finds: its last two groups are name and value. */
function addNamed(spans: Span[], text: string, pattern: RegExp): void {
  for (const match of text.matchAll(pattern)) {
    const name = match.at(-2) ?? "";
    const found = match.at(-1) ?? "";
    if (!isSecretName(name)) continue;
    const isQuoted = /^["']/u.test(found);
    // The value is the end of the match.
    const end = match.index + match[0].length - (isQuoted ? 1 : 0);
    const start = match.index + match[0].length - found.length + (isQuoted ? 1 : 0);
    // A call or an element (`token=get()`, `os.environ[...]`) is code, not a value.
    if (!isQuoted && /[([]/u.test(text.charAt(end))) continue;
    if (!isHarmless(text.slice(start, end))) spans.push({ start, end });
  }
}

/** Also a reference to a variable: what it stands for is not in the text. */
function isHarmless(text: string): boolean {
  return isHarmlessValue(text) || /^(?:\$\w+|\$\{[^}]*\})$/u.test(text);
}

/** Databases allow `/` and `#` in a password, where a URL within text would have ended. */
function maskUserInfo(url: string): string {
  const parts = /^([a-z][\w+.-]*:\/\/)([^:/?#@]*):([^@]*)@/iu.exec(url);
  if (parts === null || (/^https?:/iu.test(url) && /[/?#]/u.test(parts[3] ?? ""))) return url;
  return `${parts[1] ?? ""}${maskMark}@${url.slice(parts[0].length)}`;
}

function replaceSpans(text: string, spans: readonly Span[]): string {
  if (spans.length === 0) return text;
  let result = "";
  let position = 0;
  for (const { start, end } of mergeSpans(spans)) {
    result += text.slice(position, start) + maskMark;
    position = end;
  }
  return result + text.slice(position);
}
