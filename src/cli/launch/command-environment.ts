import type { LoggingServer } from "../../client/logging-server.ts";
import type { LoopbackServer } from "../../client/loopback-server.ts";
import type { JournalHeader } from "../../wire/journal-header.ts";
import { childEnvironment } from "./child-environment.ts";
import type { LaunchRequest } from "./launch-request.ts";

/** The caller's environment with what child-contract.md adds and removes. */
export function commandEnvironment(
  { settings, notes, userName }: LaunchRequest,
  header: JournalHeader,
  ways: {
    readonly logPath: string;
    readonly logging: LoggingServer | undefined;
    readonly loopback: LoopbackServer | undefined;
    readonly isRunMissing: boolean;
  },
): Record<string, string> {
  const { logPath, logging, loopback, isRunMissing } = ways;
  return childEnvironment({
    env: notes.environment,
    runId: header.runId,
    isRunMissing,
    attempt: header.attempt,
    trackingUri: settings.trackingUri,
    experiment: header.experiment,
    isSampling: settings.sampling.enabled,
    pythonHook: settings.pythonHook,
    autolog: settings.autolog,
    ...(logging !== undefined && { socketPath: logging.path }),
    ...(loopback !== undefined && { endpoint: { port: loopback.port, token: loopback.token, userName } }),
    logPath,
  });
}
