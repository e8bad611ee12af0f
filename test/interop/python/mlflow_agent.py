"""Does with plain MLflow what requests on stdin ask for, one JSON line each, so that many checks share one start of Python.

A request is {"do": name, ...arguments}; the reply is {"answer": ...} or {"error": traceback}.
"""
import json
import os
import sys
import time
import traceback

# MLflow prints to stdout.
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, ViewType

from dump_store import dump_store
from make_runs import make_runs
from make_story import make_story


def resume_run(uri, run_id):
    """As a training script does that was given the run's id."""
    mlflow.set_tracking_uri(uri)
    with mlflow.start_run(run_id=run_id) as run:
        seen = {"params": run.data.params, "status": run.info.status}
        mlflow.log_metric("loss", 0.125, step=4, timestamp=2004)
        mlflow.log_metric("after", 7.5, step=3, timestamp=1234)
        mlflow.log_param("resumed_by", "mlflow")
        mlflow.set_tag("phase", "second")
        mlflow.log_text("more", "notes/more.txt")
        client = MlflowClient(uri)
        client.log_batch(run.info.run_id, metrics=[Metric("loss", 0.5, 2000, 0)])
        try:
            mlflow.log_param("lr", "another")
            seen["changed_param"] = "taken"
        except mlflow.MlflowException as error:
            seen["changed_param"] = error.error_code
    return seen


def search_runs(uri, queries):
    client = MlflowClient(uri)
    ids = [e.experiment_id for e in client.search_experiments(view_type=ViewType.ALL)]
    answers = []
    for query in queries:
        view = getattr(ViewType, query.get("viewType", "ACTIVE_ONLY"))
        runs = client.search_runs(
            ids, query.get("filter", ""), view, query.get("maxResults", 1000), query.get("orderBy", [])
        )
        answers.append([run.info.run_id for run in runs])
    return answers


def log_batches(uri, batches):
    """Each batch is a list of [value, timestamp, step, key]; the new run's id."""
    client = MlflowClient(uri)
    run = client.create_run("0")
    for batch in batches:
        client.log_batch(run.info.run_id, [Metric(key, float(value), at, step) for value, at, step, key in batch])
    return run.info.run_id


def log_until(uri, points, stop_file):
    """One metric after the other, at least `points` and until the file appears; the run's id and how many."""
    client = MlflowClient(uri)
    run = client.create_run("0", run_name="python")
    step = 0
    while step < points or not os.path.exists(stop_file):
        client.log_metric(run.info.run_id, "loss", 1 / (step + 1), step=step)
        step += 1
        time.sleep(0.002)
    client.set_terminated(run.info.run_id)
    return {"run_id": run.info.run_id, "points": step}


def change_by_hand(uri, run_id, experiment_id):
    """What someone changes in the UI."""
    client = MlflowClient(uri)
    client.delete_run(run_id)
    client.restore_run(run_id)
    client.update_run(run_id, name="renamed by hand")
    client.delete_tag(run_id, "team")
    client.rename_experiment(experiment_id, "renamed by hand")
    client.set_experiment_tag(experiment_id, "seen", "yes")
    client.delete_experiment(client.get_experiment_by_name("elsewhere").experiment_id)


requests = {
    function.__name__: function
    for function in (dump_store, make_runs, make_story, resume_run, search_runs, log_batches, log_until, change_by_hand)
}


def main():
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = {"answer": requests[request.pop("do")](**request)}
        except Exception:
            reply = {"error": traceback.format_exc()}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


main()
