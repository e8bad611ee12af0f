import { mlflowTags } from "../entities/tag-keys.ts";
import type { Tag } from "../entities/tag.ts";
import { readCommandSource } from "./command-source.ts";

/** `mlflow.source.name` (the script as MLflow has it, else the program as typed) and `mlflow.source.type`. */
export function sourceTags(argv: readonly string[]): readonly Tag[] {
  return [
    { key: mlflowTags.sourceName, value: readCommandSource(argv).name },
    { key: mlflowTags.sourceType, value: "LOCAL" },
  ];
}
