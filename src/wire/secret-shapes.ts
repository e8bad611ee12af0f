/** Bytes or UTF-16 units: the shapes are ASCII, so one matcher serves the console's bytes and the strings of params and tags. */
export type Characters = ArrayLike<number>;

/** Nothing of this shape starts here. */
export const noMatch = -1;
/** The text ends before it is decided; more of it is needed. */
export const undecided = -2;

/** Well-known form of a secret, found by a fixed beginning. */
export interface SecretShape {
  readonly prefix: string;
  /** The beginning is no part of the secret (`://`, `Bearer `). */
  readonly keepsPrefix: boolean;
  /** A letter, digit or underscore before it means that it is only a part of a longer word. */
  readonly isWord: boolean;
  /** Set: a secret that reaches the end of the text goes on for as long as these characters follow. */
  readonly body?: CharacterSet;
  /** End of the secret whose prefix ends at `from`; or `noMatch`, or `undecided` (never when `scan.isFinal`). */
  match(scan: Scan, from: number): number;
}

/** One entry for each of 256 codes, 1 for members. */
export type CharacterSet = Uint8Array;

/** A text that is looked through; remembers where runs end, so that many prefixes in one run stay linear. */
export class Scan {
  readonly text: Characters;
  readonly length: number;
  /** Nothing follows: what is undecided otherwise is decided by what is there. */
  readonly isFinal: boolean;
  readonly #runs = new Map<CharacterSet, { from: number; end: number }>();

  constructor(text: Characters, length: number, isFinal: boolean) {
    this.text = text;
    this.length = length;
    this.isFinal = isFinal;
  }

  /** Where the run of members of `set` that begins at `from` ends. */
  runEnd(set: CharacterSet, from: number): number {
    const known = this.#runs.get(set);
    if (known !== undefined && from >= known.from && from <= known.end) return known.end;
    let end = from;
    while (end < this.length && set[this.text[end] ?? 256] === 1) end += 1;
    this.#runs.set(set, { from, end });
    return end;
  }

  /** As `runEnd`, but never further than `limit` members. */
  shortRunEnd(set: CharacterSet, from: number, limit: number): number {
    const last = Math.min(this.length, from + limit);
    let end = from;
    while (end < last && set[this.text[end] ?? 256] === 1) end += 1;
    return end;
  }

  /** 1 = `word` is at `index`, 0 = it is not, `undecided` = the text ends within it. */
  hasAt(word: string, index: number): number {
    for (let offset = 0; offset < word.length; offset += 1) {
      if (index + offset >= this.length) return this.isFinal ? 0 : undecided;
      if (this.text[index + offset] !== word.charCodeAt(offset)) return 0;
    }
    return 1;
  }
}

/** The characters of `ranges` (pairs of first and last) and of `others`. Without regular expressions: the command waits for this. */
function characterSet(ranges: string, others: string): CharacterSet {
  const set = new Uint8Array(256);
  for (let index = 0; index < ranges.length; index += 2) {
    set.fill(1, ranges.charCodeAt(index), ranges.charCodeAt(index + 1) + 1);
  }
  for (let index = 0; index < others.length; index += 1) set[others.charCodeAt(index)] = 1;
  return set;
}

/** All but control characters, blanks and `others`. */
function charactersExcept(others: string): CharacterSet {
  const set = new Uint8Array(256).fill(1, 33);
  for (let index = 0; index < others.length; index += 1) set[others.charCodeAt(index)] = 0;
  return set;
}

export const wordCharacters = characterSet("azAZ09", "_");
const alphanumeric = characterSet("azAZ09", "");
const dashed = characterSet("azAZ09", "_-");
const capitals = characterSet("AZ09", "");
const dotted = characterSet("azAZ09", "_.~+/=-");
const keyBody = characterSet("azAZ09\t\r", "+/= \\:,.-");
const keyLabel = characterSet("AZ09", " ");
const authority = charactersExcept("/?#\"'<>`\\");
const userName = characterSet("azAZ09", "_.~%+-");
const queryValue = charactersExcept("&;\"'<>#`\\");

interface RunRules {
  readonly body: CharacterSet;
  readonly min: number;
  readonly max?: number;
  /** A digit and a capital among the first 200 characters: tells a key from a package name. */
  readonly isMixed?: boolean;
  readonly keepsPrefix?: boolean;
  readonly isWord?: boolean;
}

const mixedWithin = 200;

function runShape(prefix: string, rules: RunRules): SecretShape {
  const max = rules.max ?? Number.POSITIVE_INFINITY;
  return {
    prefix,
    keepsPrefix: rules.keepsPrefix ?? false,
    isWord: rules.isWord ?? false,
    ...(rules.max === undefined && { body: rules.body }),
    match(scan, from) {
      const end = scan.runEnd(rules.body, from);
      const length = end - from;
      const isOpen = end === scan.length && !scan.isFinal;
      const isLongEnough = length >= rules.min;
      const isMixed = rules.isMixed !== true || hasDigitAndCapital(scan.text, from, Math.min(end, from + mixedWithin));
      if (!isOpen) return isLongEnough && length <= max && isMixed ? end : noMatch;
      if (length > max || (!isMixed && length >= mixedWithin)) return noMatch;
      return isLongEnough && isMixed && rules.max === undefined ? end : undecided;
    },
  };
}

function hasDigitAndCapital(text: Characters, from: number, end: number): boolean {
  let hasDigit = false;
  let hasCapital = false;
  for (let index = from; index < end; index += 1) {
    const code = text[index] ?? 0;
    hasDigit ||= code >= 48 && code <= 57;
    hasCapital ||= code >= 65 && code <= 90;
    if (hasDigit && hasCapital) return true;
  }
  return false;
}

const longestHeader = 1024;
const longestPayload = 8192;

/** JSON Web Token: three runs with dots between them, the first two beginning as encoded JSON objects do. */
const jsonWebToken: SecretShape = {
  prefix: "eyJ",
  keepsPrefix: false,
  isWord: false,
  body: dashed,
  match(scan, from) {
    const header = scan.shortRunEnd(dashed, from, longestHeader);
    const second = header - from < 8 && header < scan.length ? 0 : scan.hasAt(".eyJ", header);
    if (second !== 1) return second === 0 ? noMatch : undecided;
    const payload = scan.shortRunEnd(dashed, header + 4, longestPayload);
    const third = scan.hasAt(".", payload);
    if (third !== 1) return third === 0 ? noMatch : undecided;
    const end = scan.runEnd(dashed, payload + 1);
    if (end - payload - 1 >= 16) return end;
    return end === scan.length && !scan.isFinal ? undecided : noMatch;
  },
};

const longestKey = 16_384;
const dash = 45;
const colon = 58;
const atSign = 64;

/** From the BEGIN line through the END line; a block without one is taken as far as its characters go. */
const privateKeyBlock: SecretShape = {
  prefix: "-----BEGIN ",
  keepsPrefix: false,
  isWord: false,
  match(scan, from) {
    const label = scan.shortRunEnd(keyLabel, from, 50);
    const dashes = scan.hasAt("-----", label);
    if (dashes !== 1) return dashes === 0 ? noMatch : undecided;
    const name = String.fromCharCode(
      ...Array.from({ length: label - from }, (_, index) => scan.text[from + index] ?? 0),
    );
    if (!/PRIVATE KEY(?: BLOCK)?$/u.test(name)) return noMatch;
    return endOfKey(scan, label + 5);
  },
};

function endOfKey(scan: Scan, from: number): number {
  const last = Math.min(scan.length, from + longestKey);
  let index = from;
  for (; index < last && keyBody[scan.text[index] ?? 256] === 1; index += 1) {
    if (scan.text[index] !== dash) continue;
    // The next block is judged by itself, which also keeps a text full of beginnings linear.
    if (scan.hasAt("-----BEGIN ", index) === 1) return index;
    if (scan.hasAt("-----END ", index) !== 1) continue;
    const label = scan.shortRunEnd(keyLabel, index + 9, 50);
    const dashes = scan.hasAt("-----", label);
    if (dashes === undecided) return undecided;
    if (dashes === 1) return label + 5;
  }
  return index === scan.length && index < from + longestKey && !scan.isFinal ? undecided : index;
}

const longestAuthority = 512;

/** `user:password@` of a URL; for http(s) a lone `user@` as well, since tokens are given that way. */
function userInfoShape(prefix: string, allowsUserAlone: boolean): SecretShape {
  return {
    prefix,
    keepsPrefix: true,
    isWord: false,
    match(scan, from) {
      const end = scan.shortRunEnd(authority, from, longestAuthority);
      if (end === scan.length && end < from + longestAuthority && !scan.isFinal) return undecided;
      let sign = end - 1;
      while (sign > from && scan.text[sign] !== atSign) sign -= 1;
      if (sign <= from) return noMatch;
      const name = scan.shortRunEnd(userName, from, longestAuthority);
      if (scan.text[name] === colon && name < sign) return sign;
      return allowsUserAlone && name === sign ? sign : noMatch;
    },
  };
}

const github = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"].map((prefix) =>
  runShape(prefix, { body: alphanumeric, min: 30 }),
);
const slack = ["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe-", "xoxc-", "xoxd-", "xapp-"].map((prefix) =>
  runShape(prefix, { body: dashed, min: 10, isWord: true }),
);
const aws = ["AKIA", "ASIA"].map((prefix) => runShape(prefix, { body: capitals, min: 16, max: 16 }));
const stripe = ["sk_live_", "rk_live_", "sk_test_"].map((prefix) => runShape(prefix, { body: alphanumeric, min: 16 }));

/** Tokens that are known by their own form, in any text. */
const tokenShapes: readonly SecretShape[] = [
  ...github,
  runShape("github_pat_", { body: wordCharacters, min: 36 }),
  runShape("hf_", { body: alphanumeric, min: 30 }),
  runShape("api_org_", { body: alphanumeric, min: 30 }),
  ...aws,
  ...slack,
  runShape("sk-", { body: dashed, min: 20, isMixed: true, isWord: true }),
  runShape("AIza", { body: dashed, min: 35 }),
  runShape("ya29.", { body: dashed, min: 30, isWord: true }),
  runShape("glpat-", { body: dashed, min: 20 }),
  runShape("npm_", { body: alphanumeric, min: 36 }),
  runShape("pypi-", { body: dashed, min: 40, isMixed: true }),
  runShape("gsk_", { body: alphanumeric, min: 40, isWord: true }),
  runShape("nvapi-", { body: dashed, min: 40 }),
  runShape("dckr_pat_", { body: dashed, min: 20 }),
  runShape("r8_", { body: alphanumeric, min: 37, isWord: true }),
  ...stripe,
  jsonWebToken,
  privateKeyBlock,
  ...["Bearer ", "bearer "].map((prefix) => runShape(prefix, { body: dotted, min: 16, keepsPrefix: true })),
];

const urlShapes: readonly SecretShape[] = [
  userInfoShape("://", false),
  userInfoShape("http://", true),
  userInfoShape("https://", true),
];

const queryNames = (
  "token access_token auth_token refresh_token private_token api_key apikey secret client_secret password sig signature Signature " +
  "X-Amz-Signature X-Amz-Credential X-Amz-Security-Token X-Goog-Signature X-Goog-Credential"
).split(" ");

/** The usual secret query values, spelled out: a filter over bytes can't take names apart. */
const queryShapes: readonly SecretShape[] = queryNames.flatMap((name) =>
  ["?", "&"].map((separator) => runShape(`${separator}${name}=`, { body: queryValue, min: 8, keepsPrefix: true })),
);

/** All that is looked for in any text, besides the values of secret variables. */
export const allShapes: readonly SecretShape[] = [...tokenShapes, ...urlShapes, ...queryShapes];
