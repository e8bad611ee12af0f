import type { Call, MessageRoutes, Route, StreamRoute } from "./route.ts";
import { artifactProxyRoutes, downloadArtifact, uploadArtifact } from "./routes/artifact-proxy.ts";
import { artifactRoutes, getArtifact, getLoggedModelArtifact, getModelVersionArtifact } from "./routes/artifacts.ts";
import { experimentPageRoutes, experimentRoutes } from "./routes/experiments.ts";
import { loggedModelRoutes } from "./routes/logged-models.ts";
import { bulkHistory, metricHistoryRoutes } from "./routes/metric-history.ts";
import { modelVersionRoutes } from "./routes/model-versions.ts";
import { registeredModelRoutes } from "./routes/registered-models.ts";
import { runDataRoutes } from "./routes/run-data.ts";
import { runRoutes } from "./routes/runs.ts";
import { serverInfoRoutes } from "./routes/server-info.ts";
import { percentDecode } from "./artifact-paths.ts";

type Methods = Map<string, Route>;

/** A path that was found; `methods` is never empty. */
export interface FoundPath {
  readonly methods: ReadonlyMap<string, Route>;
  readonly path: Call["path"];
}

interface Pattern {
  readonly expression: RegExp;
  readonly names: readonly string[];
  readonly methods: Methods;
}

const exactPaths = new Map<string, { readonly methods: Methods; readonly path: Call["path"] }>();
const patterns = new Map<string, Pattern>();

const apiPrefixes = ["/api/2.0", "/ajax-api/2.0"];

for (const routes of [
  experimentRoutes,
  runRoutes,
  runDataRoutes,
  metricHistoryRoutes,
  loggedModelRoutes,
  registeredModelRoutes,
  modelVersionRoutes,
  artifactRoutes,
]) {
  addMessageRoutes("/mlflow", routes);
}
addMessageRoutes("/mlflow-artifacts", artifactProxyRoutes);
addMessageRoutes("/mlflow", experimentPageRoutes, ["/ajax-api/2.0"]);
addMessageRoutes("/mlflow", serverInfoRoutes, ["/api/3.0", "/ajax-api/3.0"]);
for (const prefix of apiPrefixes) {
  addStream(`GET ${prefix}/mlflow-artifacts/artifacts/{path...}`, downloadArtifact);
  addStream(`PUT ${prefix}/mlflow-artifacts/artifacts/{path...}`, uploadArtifact);
}
addStream("GET /ajax-api/2.0/mlflow/metrics/get-history-bulk", bulkHistory);
addStream("GET /ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files", getLoggedModelArtifact);
addStream("GET /get-artifact", getArtifact);
addStream("GET /model-versions/get-artifact", getModelVersionArtifact);

/** The routes of a path without its query; `undefined` for one that MLflow's API does not have, or that is not served here. */
export function findPath(path: string): FoundPath | undefined {
  return exactPaths.get(path) ?? findPattern(path);
}

function findPattern(path: string): FoundPath | undefined {
  for (const { expression, names, methods } of patterns.values()) {
    const match = expression.exec(path);
    if (match === null) continue;
    const values = names.map((name, index) => [name, percentDecode(match[index + 1] ?? "")] as const);
    return { methods, path: Object.fromEntries(values) };
  }
  return undefined;
}

function addMessageRoutes(folder: string, routes: MessageRoutes, prefixes: readonly string[] = apiPrefixes): void {
  for (const [name, handle] of Object.entries(routes)) {
    const [methods = "", path = ""] = name.split(" ");
    for (const prefix of prefixes) {
      for (const method of methods.split(",")) add(method, `${prefix}${folder}${path}`, { kind: "message", handle });
    }
  }
}

function addStream(name: string, handle: StreamRoute): void {
  const [method = "", path = ""] = name.split(" ");
  add(method, path, { kind: "stream", handle });
}

function add(method: string, path: string, route: Route): void {
  methodsOf(path).set(method, route);
}

function methodsOf(path: string): Methods {
  const existing = exactPaths.get(path) ?? patterns.get(path);
  if (existing !== undefined) return existing.methods;
  const methods: Methods = new Map();
  if (!path.includes("{")) exactPaths.set(path, { methods, path: {} });
  else patterns.set(path, { ...toExpression(path), methods });
  return methods;
}

/** `{name}` is one part of the path, `{name...}` all the rest. */
function toExpression(path: string): Omit<Pattern, "methods"> {
  const names = [...path.matchAll(/\{(\w+)(?:\.\.\.)?\}/gu)].map(([, name]) => name ?? "");
  const source = path
    .replaceAll(".", String.raw`\.`)
    .replaceAll(/\{\w+\\\.\\\.\\\.\}/gu, "(.+)")
    .replaceAll(/\{\w+\}/gu, "([^/]+)");
  return { expression: new RegExp(`^${source}$`, "u"), names };
}
