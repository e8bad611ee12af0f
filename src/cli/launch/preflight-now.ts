import { parseTrackingUri } from "../../store/tracking-uri.ts";
import { glanceAtExperiment } from "../../store/sqlite/glance.ts";
import { TrackError } from "../../errors.ts";
import { isThere } from "../../util/files.ts";
import { judgeExperiment, type Preflight, type PreflightRequest, withoutStore, writeFault } from "./preflight.ts";

/**
 * The preflight of an ordinary start, without a turn of the event loop, which costs a command that waits for it over a millisecond.
 * `undefined` where `preflight` must look closer. Throws as `preflight` does.
 */
export function preflightNow(request: PreflightRequest): Preflight | undefined {
  const { settings, isParentGiven, known } = request;
  if (known !== undefined || settings.runId !== undefined || isParentGiven || settings.strict) return undefined;
  const path = databasePath(settings.trackingUri);
  if (path === undefined) return undefined;
  const found = isThere(path) ? lookAt(path, request) : withoutStore(path, request);
  const fault = found === undefined ? undefined : writeFault(path);
  return found === undefined || fault === undefined ? found : { ...found, fault };
}

function databasePath(trackingUri: string): string | undefined {
  try {
    const uri = parseTrackingUri(trackingUri);
    return uri.kind === "sqlite" ? uri.path : undefined;
  } catch (error) {
    if (error instanceof TrackError) return undefined;
    throw error;
  }
}

function lookAt(path: string, { settings }: PreflightRequest): Preflight | undefined {
  const glance = glanceAtExperiment(path, settings.experiment);
  if (glance === undefined) return undefined;
  // An id that is not there is a mistake, which preflight words.
  if (glance.experiment === undefined && "experimentId" in settings.experiment) return undefined;
  return judgeExperiment(glance.experiment, settings);
}
