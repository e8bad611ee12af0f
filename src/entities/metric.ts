/** One point of a metric. `timestamp` in ms since the epoch; `step` an integer, negative allowed; `value` may be NaN or infinite. */
export interface Metric {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
  /** Only where a logged model's metric is meant (MLflow 3). */
  readonly modelId?: string;
  /** The run that logged it; only among the metrics of a logged model. */
  readonly runId?: string;
  readonly datasetName?: string;
  readonly datasetDigest?: string;
}
