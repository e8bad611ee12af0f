"""Training programs inside `track run` with a tracking server behind: `shield_script.py <name>`; the last line is JSON of what it saw."""
import json
import os
import sys
import time

import mlflow
from mlflow.utils.rest_utils import http_request
from mlflow.utils.credentials import get_default_host_creds

RUN_ID = os.environ["TRACK_RUN_ID"]


def pause(name):
    """Until the test lets go on."""
    open(name, "w").close()
    while not os.path.exists(name + ".on"):
        time.sleep(0.02)


def sampled_steps(run_ids, key):
    """As MLflow's charts ask for them."""
    query = [("run_ids", run_id) for run_id in run_ids] + [("metric_key", key), ("max_results", 10)]
    host = get_default_host_creds(mlflow.get_tracking_uri())
    answer = http_request(host, "/api/2.0/mlflow/metrics/get-history-bulk-interval", "GET", params=query)
    return [[one["run_id"], one["step"]] for one in answer.json()["metrics"]]


def identity(model_input):
    return model_input


def family():
    """A run, two children, their params, metrics, tags, files, and a model; all of it while the server may be away."""
    client = mlflow.MlflowClient()
    pause("start")
    begun = time.monotonic()
    with mlflow.start_run() as run:
        mlflow.log_params({"lr": 0.1, "depth": 3})
        for step in range(100):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.set_tags({"team": "vision", "gone": "soon"})
        mlflow.delete_tag("gone")
        mlflow.log_text("hello", "notes/a.txt")
        children = []
        for trial in range(2):
            with mlflow.start_run(nested=True, run_name=f"trial {trial}") as child:
                mlflow.log_param("trial", trial)
                mlflow.log_metric("score", trial)
                mlflow.log_text(str(trial), "trial.txt")
                children.append(child.info.run_id)
        model = mlflow.pyfunc.log_model(name="net", python_model=identity, pip_requirements=[])
        best = client.search_runs(
            [run.info.experiment_id],
            f"tags.mlflow.parentRunId = '{run.info.run_id}' AND metrics.score >= 0",
            order_by=["metrics.score DESC"],
        )
        named = client.search_runs([run.info.experiment_id], f"run_id = '{run.info.run_id}' AND params.depth = '3'")
        seen = mlflow.get_run(run.info.run_id)
        child = mlflow.get_run(children[1])
        said = {
            "run_id": run.info.run_id,
            "children": children,
            "model_id": model.model_id,
            "seen": [seen.info.run_id, seen.data.metrics["loss"], seen.data.params["lr"], seen.data.tags.get("team")],
            "child": [child.info.run_id, child.data.params, child.data.tags["mlflow.parentRunId"]],
            "best": [[one.info.run_name, one.data.metrics["score"], one.info.status] for one in best],
            "sampled": sampled_steps([run.info.run_id, children[0]], "loss"),
            "named": [[one.info.run_id, one.info.status] for one in named],
            "history": len(client.get_metric_history(run.info.run_id, "loss")),
            "artifacts": sorted(one.path for one in client.list_artifacts(run.info.run_id, "notes")),
            "model": [mlflow.get_logged_model(model.model_id).name, mlflow.get_logged_model(model.model_id).source_run_id],
        }
    said["took"] = time.monotonic() - begun
    pause("end")
    return said


def outside():
    """What is not the family's: other runs, the registry, searches, traces."""
    client = mlflow.MlflowClient()
    other = os.environ["OTHER_RUN"]
    with mlflow.start_run() as run:
        mlflow.log_metric("x", 1)
        with mlflow.start_run(nested=True) as child:
            mlflow.log_param("p", "child")
        model = mlflow.pyfunc.log_model(name="net", python_model=identity, pip_requirements=[], registered_model_name="reg")
    client.log_metric(other, "y", 2)
    client.log_text(other, "other", "other.txt")
    version = client.get_model_version("reg", 1)
    found = mlflow.search_runs([run.info.experiment_id], "params.p = 'child'", output_format="list")
    with mlflow.start_span("traced") as span:
        span.set_attribute("a", 1)
    mlflow.flush_trace_async_logging()
    traces = mlflow.search_traces(locations=[run.info.experiment_id], return_type="list")
    loaded = mlflow.pyfunc.load_model("models:/reg/1")
    return {
        "run_id": run.info.run_id,
        "child": child.info.run_id,
        "model_id": model.model_id,
        "version": [version.run_id, version.source, version.model_id],
        "found": [one.info.run_id for one in found],
        "parent": found[0].data.tags["mlflow.parentRunId"] if found else None,
        "traces": len(traces),
        "other": [client.get_run(other).data.metrics, [one.path for one in client.list_artifacts(other)]],
        "predicted": loaded.predict([1, 2]),
        "read": mlflow.artifacts.load_text(f"runs:/{other}/other.txt"),
    }


def away():
    """Reads outside the family fail soon."""
    pause("start")
    begun = time.monotonic()
    try:
        mlflow.get_run(os.environ["OTHER_RUN"])
        answer = "answered"
    except mlflow.MlflowException as error:
        answer = error.error_code
    took = time.monotonic() - begun
    try:
        mlflow.search_runs(["0"], "metrics.y > 0")
        found = "answered"
    except mlflow.MlflowException as error:
        found = error.error_code
    experiment = mlflow.set_experiment("chosen offline")
    with mlflow.start_run() as run:
        mlflow.log_metric("x", 1)
    second = mlflow.start_run()
    mlflow.log_metric("z", 3)
    mlflow.end_run()
    pause("end")
    return {
        "answer": answer,
        "found": found,
        "took": took,
        "experiment": experiment.experiment_id,
        "run_id": run.info.run_id,
        "second": second.info.run_id,
        "second_experiment": second.info.experiment_id,
    }


print(json.dumps(globals()[sys.argv[1]]()))
