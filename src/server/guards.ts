import type { IncomingMessage } from "node:http";
import { StoreError } from "../errors.ts";
import { RequestRefusal } from "./answer.ts";

export interface Credentials {
  readonly user: string;
  readonly token: string;
}

/** Who may ask before anything is looked up; throws the refusal. */
export class Guards {
  readonly #token: string | undefined;
  readonly #basic: string;
  readonly #bearer: string;

  constructor(credentials: Credentials | undefined) {
    this.#token = credentials?.token;
    this.#basic = `Basic ${Buffer.from(`${credentials?.user}:${credentials?.token}`).toString("base64")}`;
    this.#bearer = `Bearer ${credentials?.token}`;
  }

  /** A page in a browser must not reach a server on this machine: by a name of its own (DNS rebinding), or from its origin. */
  checkOrigin({ method, headers }: IncomingMessage): void {
    if (!isLoopbackHost(headers.host ?? "")) {
      throw forbidden("Invalid Host header - possible DNS rebinding attack detected");
    }
    const { origin } = headers;
    if (origin !== undefined && method !== "GET" && method !== "HEAD" && !loopbackOrigin.test(origin)) {
      throw forbidden("Cross-origin request blocked");
    }
  }

  /** The token as a Bearer's, or as the password of any user. */
  checkCredentials({ headers }: IncomingMessage): void {
    if (this.#token === undefined) return;
    const given = headers.authorization ?? "";
    if (isSame(given, this.#basic) || isSame(given, this.#bearer)) return;
    if (this.#token !== "" && isSame(passwordOf(given), this.#token)) return;
    throw new RequestRefusal(
      401,
      new StoreError("UNAUTHENTICATED", given === "" ? notAuthenticated : `${notAuthenticated} ${netrcHint}`),
      { "WWW-Authenticate": 'Basic realm="mlflow"' },
    );
  }
}

const notAuthenticated = "You are not authenticated. Send the token as a Bearer's or as Basic's password.";
/** What the user may not think of: it gives an authorization to a client that has a right one. */
const netrcHint = "(Python's requests takes what ~/.netrc has for any host in its place.)";

const loopbackOrigin = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?$/u;

function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]*)?$/iu.test(host);
}

function passwordOf(authorization: string): string {
  const encoded = /^basic +([A-Za-z0-9+/=]+)$/iu.exec(authorization)?.[1];
  if (encoded === undefined) return /^bearer +(\S+)$/iu.exec(authorization)?.[1] ?? "";
  const decoded = Buffer.from(encoded, "base64").toString();
  const colon = decoded.indexOf(":");
  return colon < 0 ? "" : decoded.slice(colon + 1);
}

/** Takes the same time wherever the texts differ. */
function isSame(given: string, expected: string): boolean {
  if (given.length !== expected.length) return false;
  let difference = 0;
  for (let index = 0; index < expected.length; index += 1) {
    difference |= given.charCodeAt(index) ^ expected.charCodeAt(index);
  }
  return difference === 0;
}

function forbidden(message: string): RequestRefusal {
  return new RequestRefusal(403, new StoreError("PERMISSION_DENIED", message));
}
