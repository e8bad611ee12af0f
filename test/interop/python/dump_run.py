"""Prints what MLflow reads of runs: `dump_run.py <tracking uri> [run id...]` (default: all runs), as JSON."""
import json
import math
import sys

from mlflow import MlflowClient
from mlflow.entities import ViewType


def number(value):
    if math.isnan(value):
        return "NaN"
    return value


def dump(client, run):
    info, data = run.info, run.data
    history = {
        key: [[number(m.value), m.timestamp, m.step] for m in client.get_metric_history(info.run_id, key)]
        for key in sorted(data.metrics)
    }
    return {
        "run_id": info.run_id,
        "run_name": info.run_name,
        "experiment_id": info.experiment_id,
        "user_id": info.user_id,
        "status": info.status,
        "start_time": info.start_time,
        "end_time": info.end_time,
        "lifecycle_stage": info.lifecycle_stage,
        "artifact_uri": info.artifact_uri,
        "metrics": {key: number(value) for key, value in sorted(data.metrics.items())},
        "history": history,
        "params": dict(sorted(data.params.items())),
        "tags": dict(sorted(data.tags.items())),
        "inputs": [
            [i.dataset.name, i.dataset.digest, i.dataset.source_type, {t.key: t.value for t in i.tags}]
            for i in (run.inputs.dataset_inputs if run.inputs else [])
        ],
        "artifacts": sorted(list_artifacts(client, info.run_id, None)),
    }


def list_artifacts(client, run_id, path):
    for entry in client.list_artifacts(run_id, path):
        if entry.is_dir:
            yield from list_artifacts(client, run_id, entry.path)
        else:
            yield [entry.path, entry.file_size]


def main():
    client = MlflowClient(sys.argv[1])
    experiments = client.search_experiments(view_type=ViewType.ALL)
    ids = sys.argv[2:]
    if not ids:
        found = client.search_runs([e.experiment_id for e in experiments], run_view_type=ViewType.ALL, max_results=1000)
        ids = [run.info.run_id for run in found]
    print(json.dumps({
        "experiments": sorted([e.experiment_id, e.name, e.lifecycle_stage, e.artifact_location, dict(e.tags)] for e in experiments),
        "runs": [dump(client, client.get_run(run_id)) for run_id in ids],
    }))


main()
