import { resolve } from "node:path";

export type Environment = Readonly<Record<string, string | undefined>>;

/** An environment variable; an empty one counts as not set (cli.md). */
export function variable(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === undefined || value === "" ? undefined : value;
}

export const isServerUri = (trackingUri: string): boolean => /^https?:/iu.test(trackingUri);

/**
 * The tracking URI in force: option, MLFLOW_TRACKING_URI, else `mlflow.db` in `cwd`, MLflow's own default.
 * A relative SQLite path is made absolute, since the recorder and the command may run elsewhere.
 */
export function resolveTrackingUri(option: string | undefined, env: Environment, cwd: string): string {
  const given = option ?? inheritedUri(env) ?? "sqlite:///mlflow.db";
  const sqlite = /^(sqlite(?:\+[a-z0-9]+)?:\/\/\/)([^/].*)$/u.exec(given);
  if (sqlite === null || sqlite[2] === ":memory:") return given;
  return `${sqlite[1]}${resolve(cwd, sqlite[2] ?? "")}`;
}

/** Inside a run `MLFLOW_TRACKING_URI` is the loopback endpoint of that run's recorder; its store is the one behind it. */
function inheritedUri(env: Environment): string | undefined {
  return uriBehindEndpoint(env) ?? variable(env, "MLFLOW_TRACKING_URI");
}

/** The store behind the endpoint that this program's run has given it; `undefined` where it has none. */
export function uriBehindEndpoint(env: Environment): string | undefined {
  const given = variable(env, "MLFLOW_TRACKING_URI");
  const isEndpoint = given !== undefined && isEndpointUri(given) && hasEndpointToken(env);
  return isEndpoint ? variable(env, "TRACK_TRACKING_URI") : undefined;
}

/** The endpoint of the outer run whose store is behind this URI: what is said inside of that run goes the outer run's way. */
export function outerEndpoint(trackingUri: string, env: Environment): string | undefined {
  const given = variable(env, "MLFLOW_TRACKING_URI");
  const isBehind = variable(env, "TRACK_TRACKING_URI") === trackingUri;
  return given !== undefined && isBehind && isServerUri(trackingUri) && isEndpointUri(given) && hasEndpointToken(env)
    ? given
    : undefined;
}

/** The credentials are those of an outer run's endpoint: only its clients are given one random token as their password as well. */
export function hasEndpointToken(env: Environment): boolean {
  const token = variable(env, "MLFLOW_TRACKING_TOKEN");
  return token !== undefined && token === env["MLFLOW_TRACKING_PASSWORD"] && env["TRACK_RUN_ID"] !== undefined;
}

const isEndpointUri = (uri: string): boolean => /^http:\/\/127\.0\.0\.1:\d+$/u.test(uri);
