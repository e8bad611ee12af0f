/** What every MLflow from 3.0 to 3.18 has and this store needs; columns it does not know are left alone. */
export const neededColumns: Readonly<Record<string, readonly string[]>> = {
  experiments: words("experiment_id name artifact_location lifecycle_stage creation_time last_update_time"),
  experiment_tags: words("key value experiment_id"),
  runs: words(
    `run_uuid name source_type source_name entry_point_name user_id status start_time end_time source_version
     lifecycle_stage artifact_uri experiment_id deleted_time`,
  ),
  metrics: words("key value timestamp run_uuid step is_nan"),
  latest_metrics: words("key value timestamp step is_nan run_uuid"),
  params: words("key value run_uuid"),
  tags: words("key value run_uuid"),
  datasets: words(
    "dataset_uuid experiment_id name digest dataset_source_type dataset_source dataset_schema dataset_profile",
  ),
  inputs: words("input_uuid source_type source_id destination_type destination_id step"),
  input_tags: words("input_uuid name value"),
  logged_models: words(
    `model_id experiment_id name artifact_location creation_timestamp_ms last_updated_timestamp_ms status
     lifecycle_stage model_type source_run_id status_message`,
  ),
  logged_model_metrics: words(
    `model_id metric_name metric_timestamp_ms metric_step metric_value experiment_id run_id
     dataset_uuid dataset_name dataset_digest`,
  ),
  logged_model_params: words("model_id experiment_id param_key param_value"),
  logged_model_tags: words("model_id experiment_id tag_key tag_value"),
};

function words(text: string): readonly string[] {
  return text.split(/\s+/u);
}
