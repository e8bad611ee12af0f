/** MLflow's limits (mlflow/utils/validation.py). Lengths are counted in Unicode code points, as Python's `len` does. */
export const limits = {
  keyLength: 250,
  paramValueLength: 6000,
  runTagValueLength: 8000,
  experimentNameLength: 500,
  experimentTagValueLength: 5000,
  artifactLocationLength: 2048,
  metricsPerBatch: 1000,
  paramsPerBatch: 100,
  tagsPerBatch: 100,
  itemsPerBatch: 1000,
  maxSearchResults: 50_000,
  defaultSearchResults: 1000,
} as const;
