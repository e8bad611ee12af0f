import { writeSync } from "node:fs";
import { TrackError } from "../errors.ts";
import { messageOf } from "../util/error-code.ts";

export type ErrorListener = (error: TrackError) => void;

let listener: ErrorListener | undefined;
const told = new Set<string>();

/**
 * Who hears of what goes wrong behind a call that has returned: a store that refuses what was logged, a recorder that cannot
 * be had. Without a listener each such thing is told once, as a Node warning of the name `TrackWarning` on stderr. Nothing of
 * that kind ever throws into the training loop. `undefined` brings the default back.
 */
export function onError(listen: ErrorListener | undefined): void {
  listener = listen;
}

/** `kind`: what is told once. A listener that throws is on its own: it must not stop the training either. */
export function report(error: unknown, kind = messageOf(error)): void {
  tell(error, kind, warn);
}

/** The same while the process ends: no warning of Node's would be printed any more. */
export function reportAtEnd(error: unknown): void {
  tell(error, messageOf(error), (text) => {
    try {
      writeSync(2, `TrackWarning: ${text}\n`);
    } catch {
      // Nobody reads it any more.
    }
  });
}

function tell(error: unknown, kind: string, say: (text: string) => void): void {
  const known = error instanceof TrackError ? error : new TrackError(messageOf(error), { cause: error });
  if (listener !== undefined) {
    try {
      listener(known);
    } catch (fault) {
      say(`the listener of onError threw: ${messageOf(fault)}`);
    }
  } else if (!told.has(kind)) {
    told.add(kind);
    say(known.hint === undefined ? known.message : `${known.message} (${known.hint})`);
  }
}

function warn(text: string): void {
  process.emitWarning(text, "TrackWarning");
}
