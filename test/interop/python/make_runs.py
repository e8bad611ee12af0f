"""Makes runs with everything that the tracking API can say, as a user of plain MLflow would: `make_runs.py <tracking uri>`."""
import sys
import tempfile

import mlflow
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.entities import DatasetInput, Dataset, InputTag, Metric

uri = sys.argv[1]
mlflow.set_tracking_uri(uri)
client = MlflowClient(uri)
experiment = mlflow.set_experiment("from mlflow")
client.set_experiment_tag(experiment.experiment_id, "owner", "böb")

with mlflow.start_run(run_name="full", tags={"team": "vision"}, description="a note") as run:
    mlflow.log_params({"lr": 0.01, "opt": "adam", "name with/slash.dot-dash": "x"})
    for step in range(5):
        mlflow.log_metric("loss", 1 / (step + 1), step=step, timestamp=1000 + step)
    client.log_batch(run.info.run_id, metrics=[
        Metric("nan", float("nan"), 1, 0), Metric("inf", float("inf"), 1, 0), Metric("-inf", float("-inf"), 1, 0),
        Metric("negative step", 3.5, 7, -2), Metric("big", 1e300, 5, 2**40),
    ])
    dataset = Dataset("train", "abc123", "code", "{}", schema="{\"s\":1}", profile="{\"p\":2}")
    client.log_inputs(run.info.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])])
    mlflow.log_text("hello", "notes/a.txt")
    with mlflow.start_run(run_name="child", nested=True):
        mlflow.log_metric("loss", 0.5)

with mlflow.start_run(run_name="gone"):
    mlflow.log_param("p", 1)
    gone = mlflow.active_run().info.run_id
client.delete_run(gone)

try:
    with mlflow.start_run(run_name="failed"):
        raise ValueError("x")
except ValueError:
    pass
print(run.info.run_id)
