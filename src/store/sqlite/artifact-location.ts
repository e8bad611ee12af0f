import type { DatabaseSync } from "node:sqlite";
import { prepareCached } from "./statements.ts";

/** MLflow's `append_to_uri_path`: the parts go to the end of the path, before a query or fragment of a URI. */
export function appendToLocation(location: string, ...parts: readonly string[]): string {
  const [, base = "", rest = ""] = /^([a-z][a-z0-9+.-]*:[^?#]*)([?#].*)?$/isu.exec(location) ?? [null, location];
  const trimmed = base === "/" ? "" : base.replace(/\/+$/u, "");
  return `${[trimmed, ...parts].join("/")}${rest}`;
}

/**
 * Where new experiments of this database get their artifacts: beside those of experiment 0, so that one database has one place;
 * `fallback` where that says nothing usable. A server's own `mlflow-artifacts:` place cannot be reached from a direct connection.
 */
export function findArtifactRoot(db: DatabaseSync, fallback: string): string {
  const row = prepareCached(db, "SELECT artifact_location FROM experiments WHERE experiment_id = 0").get();
  const location = row?.["artifact_location"];
  if (typeof location !== "string" || !/^(?:\/|[a-z][a-z0-9+.-]*:).*\/0$/isu.test(location)) return fallback;
  return location.startsWith("mlflow-artifacts:") ? fallback : location.slice(0, -"/0".length);
}
