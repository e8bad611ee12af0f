import { relative } from "node:path";
import { mlflowTags } from "../entities/tag-keys.ts";
import { environment } from "./environment.ts";
import { gitTags } from "./git-context.ts";
import { userName } from "./user-name.ts";

/** What MLflow says of the program by itself, on new runs: user, source, and the entries of MLFLOW_RUN_CONTEXT (contract 1.2, 2.2). */
export function contextTags(): Readonly<Record<string, string>> {
  return {
    [mlflowTags.user]: userName(),
    [mlflowTags.sourceName]: sourceName(),
    [mlflowTags.sourceType]: "LOCAL",
    ...sourceRepository(),
    ...runContext(),
  };
}

/** The script, as it would be typed in the working folder. */
function sourceName(): string {
  const script = process.argv[1];
  if (script === undefined) return "<console>";
  const below = relative(process.cwd(), script);
  return below.startsWith("..") || below === "" ? script : below;
}

let repositoryTags: Readonly<Record<string, string>> | undefined;

/** As it was at the first run, as in MLflow. */
function sourceRepository(): Readonly<Record<string, string>> {
  const script = process.argv[1];
  repositoryTags ??= script === undefined ? {} : gitTags(script);
  return repositoryTags;
}

function runContext(): Readonly<Record<string, string>> {
  const text = environment["MLFLOW_RUN_CONTEXT"];
  if (text === undefined || text === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, String(one)]));
  } catch (error) {
    // MLflow leaves out what it cannot read.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
