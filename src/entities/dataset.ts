import type { Tag } from "./tag.ts";

/** A dataset as MLflow's `log_input` describes it; `source`, `schema` and `profile` are opaque JSON text. */
export interface Dataset {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema?: string;
  readonly profile?: string;
}

/** A dataset that a run used. The usual tag is `mlflow.data.context` = `train`. */
export interface DatasetInput {
  readonly dataset: Dataset;
  readonly tags: readonly Tag[];
}
