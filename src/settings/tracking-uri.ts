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
  const given = option ?? variable(env, "MLFLOW_TRACKING_URI") ?? "sqlite:///mlflow.db";
  const sqlite = /^(sqlite(?:\+[a-z0-9]+)?:\/\/\/)([^/].*)$/u.exec(given);
  if (sqlite === null || sqlite[2] === ":memory:") return given;
  return `${sqlite[1]}${resolve(cwd, sqlite[2] ?? "")}`;
}
