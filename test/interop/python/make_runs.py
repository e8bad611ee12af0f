"""Runs with everything that the tracking API can say, made as a user of plain MLflow makes them."""
import json

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput, Metric


def make_runs(uri):
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    experiment = mlflow.set_experiment("from mlflow/ñ")
    client.set_experiment_tag(experiment.experiment_id, "owner", "böb")
    old = client.create_experiment("old", tags={"kept": "yes"})
    client.delete_experiment(old)

    with mlflow.start_run(run_name="full 🚀", tags={"team": "vision"}, description="a\nnote") as run:
        mlflow.log_params({"lr": 0.01, "opt": "adam", "name with/slash.dot-dash:colon": "x", "empty": "", "none": None})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step, timestamp=1000 + step)
        client.log_batch(run.info.run_id, metrics=[
            Metric("nan", float("nan"), 1, 0), Metric("inf", float("inf"), 1, 0), Metric("-inf", float("-inf"), 1, 0),
            Metric("negative step", 3.5, 7, -2), Metric("negative step", 3.25, 7, -9), Metric("huge", 1e300, 5, 2**62),
            Metric("tiny", 5e-324, 5, 2**53 - 1), Metric("whole", 3.0, 5, 0), Metric("late first", 2.0, 9, 1),
            Metric("late first", 1.0, 2, 1), Metric("mixed", float("nan"), 3, 3), Metric("mixed", -1.0, 3, 3),
        ])
        train = Dataset("train", "abc123", "code", json.dumps({"a": 1}), schema='{"s":1}', profile='{"p":2}')
        test = Dataset("test", "def456", "local", "{}")
        client.log_inputs(run.info.run_id, [DatasetInput(train, [InputTag("mlflow.data.context", "train")])])
        client.log_inputs(run.info.run_id, [DatasetInput(test, [])])
        mlflow.log_text("hello", "notes/a.txt")
        mlflow.log_dict({"b": [1, 2]}, "ünï.json")
        make_model(client, run)
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("loss", 0.5)

    with mlflow.start_run(run_name="gone") as gone:
        mlflow.log_param("p", 1)
    client.delete_run(gone.info.run_id)
    try:
        with mlflow.start_run(run_name="failed"):
            raise ValueError("x")
    except ValueError:
        pass
    client.create_run(experiment.experiment_id, run_name="still running", start_time=12345)
    killed = client.create_run(experiment.experiment_id, start_time=1, tags={"mlflow.user": "ada"})
    client.set_terminated(killed.info.run_id, "KILLED", end_time=99)
    mlflow.set_experiment("Default")
    return run.info.run_id


def make_model(client, run):
    model = client.create_logged_model(
        run.info.experiment_id, name="net", source_run_id=run.info.run_id, tags={"stage": "a"},
        params={"depth": "3"}, model_type="torch",
    )
    client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=4)])
    client.log_inputs(run.info.run_id, models=[LoggedModelInput(model.model_id)])
    client.log_metric(run.info.run_id, "score", 0.75, timestamp=50, step=4, model_id=model.model_id)
    client.finalize_logged_model(model.model_id, "READY")
