import type { ExperimentReference } from "../../entities/journal-entry.ts";
import { mlflowTags } from "../../entities/tag-keys.ts";
import { type Environment, hasEndpointToken } from "../../settings/tracking-uri.ts";
import { withoutUserinfo } from "../../util/uri-secrets.ts";
import { pythonHookVariables } from "./python-hook.ts";

export interface ChildEnvironmentRequest {
  readonly env: Environment;
  readonly runId: string;
  /** The run is not in the store that the command's clients go to: they start runs of their own. */
  readonly isRunMissing: boolean;
  readonly attempt: number;
  readonly trackingUri: string;
  /** Where the command's MLflow clients are served; absent: they go to the tracking URI themselves. */
  readonly endpoint?: { readonly port: number; readonly token: string; readonly userName: string };
  readonly experiment: ExperimentReference;
  readonly isSampling: boolean;
  /** The run keeper in Python processes, with autologging or without. */
  readonly pythonHook: boolean;
  readonly autolog: boolean;
  readonly socketPath?: string;
  readonly logPath?: string;
}

/** The command's environment: the caller's own, but for the variables of child-contract.md. */
export function childEnvironment(request: ChildEnvironmentRequest): Record<string, string> {
  const { experiment, runId, trackingUri } = request;
  const changes: Record<string, string | undefined> = {
    MLFLOW_RUN_ID: request.isRunMissing ? undefined : runId,
    MLFLOW_TRACKING_URI: trackingUri,
    ...(request.endpoint === undefined
      ? withoutOuterToken(request.env)
      : endpointVariables(request.env, request.endpoint)),
    MLFLOW_EXPERIMENT_ID: "experimentId" in experiment ? experiment.experimentId : undefined,
    MLFLOW_EXPERIMENT_NAME: "experimentId" in experiment ? undefined : experiment.experimentName,
    MLFLOW_RUN_CONTEXT: runContext(request.env, runId),
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT: request.env["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] ?? "true",
    TRACK_RUN_ID: runId,
    TRACK_ATTEMPT: String(request.attempt),
    TRACK_TRACKING_URI: withoutUserinfo(trackingUri),
    TRACK_SOCKET: request.socketPath,
    TRACK_LOG: request.logPath,
    ...(request.pythonHook && pythonHookVariables(request.env, request)),
  };
  if (request.isSampling) changes["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"] = "false";
  const merged = Object.entries({ ...request.env, ...changes });
  return Object.fromEntries(merged.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** What the real server needs is for the recorder alone. Basic wins over the token in MLflow's client, so both are given. */
function endpointVariables(
  env: Environment,
  { port, token, userName }: NonNullable<ChildEnvironmentRequest["endpoint"]>,
): Record<string, string | undefined> {
  return {
    MLFLOW_TRACKING_URI: `http://127.0.0.1:${port}`,
    MLFLOW_TRACKING_USERNAME: env["MLFLOW_TRACKING_USERNAME"] ?? userName,
    MLFLOW_TRACKING_PASSWORD: token,
    MLFLOW_TRACKING_TOKEN: token,
    MLFLOW_TRACKING_AUTH: undefined,
    MLFLOW_TRACKING_AWS_SIGV4: undefined,
    MLFLOW_WORKSPACE: undefined,
    NO_PROXY: withLoopback(env["NO_PROXY"] ?? env["no_proxy"]),
    no_proxy: withLoopback(env["no_proxy"] ?? env["NO_PROXY"]),
  };
}

/** What an outer run's endpoint asks for would only be refused by anybody else. */
function withoutOuterToken(env: Environment): Record<string, undefined> {
  if (!hasEndpointToken(env)) return {};
  return { MLFLOW_TRACKING_USERNAME: undefined, MLFLOW_TRACKING_PASSWORD: undefined, MLFLOW_TRACKING_TOKEN: undefined };
}

/** A proxy must not catch what is meant for this machine. */
function withLoopback(hosts = ""): string {
  const known = hosts.split(",").map((host) => host.trim());
  return [hosts, ...["127.0.0.1", "localhost"].filter((host) => !known.includes(host))]
    .filter((part) => part !== "")
    .join(",");
}

/** A second run that the command opens becomes a child of this one instead of a stray (contract 2.2). */
function runContext(env: Environment, runId: string): string {
  const own = env["MLFLOW_RUN_CONTEXT"];
  let context: Record<string, unknown> = {};
  try {
    const value: unknown = own === undefined || own === "" ? {} : JSON.parse(own);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) context = { ...value };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return JSON.stringify({ ...context, [mlflowTags.parentRunId]: runId });
}
