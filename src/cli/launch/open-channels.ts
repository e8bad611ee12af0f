import { bindLoggingServer, type LoggingServer } from "../../client/logging-server.ts";
import { bindLoopbackServer, type LoopbackServer } from "../../client/loopback-server.ts";
import type { RunSettings } from "../../settings/run-settings.ts";
import { type Environment, variable } from "../../settings/tracking-uri.ts";
import { messageOf } from "../../util/error-code.ts";
import type { Say } from "./launch-notices.ts";
import { refusedStart } from "./refused-start.ts";

/** The socket that `track log` and the library speak to; without it `$TRACK_LOG` is left. */
export function openSocket(env: Environment, settings: RunSettings, say: Say): LoggingServer | undefined {
  const bases = [variable(env, "XDG_RUNTIME_DIR"), variable(env, "TMPDIR"), "/tmp"];
  const bound = bindLoggingServer(bases.filter((base) => base !== undefined));
  if (bound.server !== undefined) return bound;
  if (settings.strict) throw refusedStart(`no logging socket: ${bound.reasons[0]}`);
  say(`there is no logging socket, $TRACK_LOG still works: ${bound.reasons[0]}`);
  return undefined;
}

/** Without it the command's MLflow clients go to the store themselves, as they do where they are told to. */
export function openLoopback(
  settings: RunSettings,
  isDirect: boolean,
  say: Say,
): LoopbackServer | Promise<LoopbackServer | undefined> | undefined {
  if (isDirect) return undefined;
  const without = (error: unknown): undefined => {
    if (settings.strict) throw refusedStart(`MLflow clients cannot be served: ${messageOf(error)}`);
    say(`MLflow clients of the command are on their own, no port could be had: ${messageOf(error)}`);
  };
  try {
    const opened = bindLoopbackServer();
    return opened instanceof Promise ? opened.catch(without) : opened;
  } catch (error) {
    return without(error);
  }
}
