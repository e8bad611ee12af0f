/** `deleted` is MLflow's soft deletion: rows stay until `gc`. */
export type LifecycleStage = "active" | "deleted";

/** Which lifecycle stages a search returns (mlflow/entities/view_type.py). */
export type ViewType = "ACTIVE_ONLY" | "DELETED_ONLY" | "ALL";
