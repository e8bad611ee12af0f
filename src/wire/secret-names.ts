import { maskMark } from "./mask-mark.ts";

const secretWords = new Set([
  "secret",
  "token",
  "password",
  "passwd",
  "passphrase",
  "credential",
  "credentials",
  "apikey",
  "accesskey",
  "privatekey",
  "secretkey",
  "authtoken",
]);

const secretPairs = new Set(["api key", "access key", "private key", "secret key", "auth token"]);

/** Part of every secret name; told without splitting into words, which each variable of a large environment would cost. */
const secretHint = /secret|token|passw|passphrase|credential|key/iu;

const harmlessVariables = /^(?:PWD|OLDPWD|XAUTHORITY|.*_AUTH_SOCK|.*_AUTHOR_.*)$/u;

const wordBorder = /[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/u;

/** Values shorter than this are too common to be looked for in running text; characters. */
const shortestEnvironmentSecret = 8;

/** Whether an option, key or variable of this name holds a secret: the last whole words decide (`--api-key`, `HF_TOKEN`, not `pad_token_id`). */
export function isSecretName(name: string): boolean {
  if (!secretHint.test(name)) return false;
  const words = name.split(wordBorder).filter((word) => word !== "");
  const last = words.at(-1)?.toLowerCase();
  if (last === undefined) return false;
  return secretWords.has(last) || secretPairs.has(`${words.at(-2)?.toLowerCase() ?? ""} ${last}`);
}

/** What is never a secret even under such a name: a number, a boolean, nothing at all, or a tokenizer's special token (`<pad>`, `[MASK]`). */
export function isHarmlessValue(value: string): boolean {
  const text = value.trim();
  if (text === "" || text === maskMark) return true;
  if (/^(?:true|false|yes|no|on|off|none|null|[+-]?(?:nan|inf|infinity))$/iu.test(text)) return true;
  if (/^<[^<>]*>$|^\[[A-Z_0-9]+\]$/u.test(text)) return true;
  return !Number.isNaN(Number(text.replaceAll("_", "")));
}

/** Values (8 characters or more) of the secret-named variables of an environment, longest first, each once. */
export function findEnvironmentSecrets(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const values = new Set<string>();
  for (const [name, value] of Object.entries(env)) {
    if (!isSecretName(name) || harmlessVariables.test(name)) continue;
    const text = value?.trim() ?? "";
    if (text.length >= shortestEnvironmentSecret) values.add(text);
  }
  return [...values].sort((left, right) => right.length - left.length);
}
