"""What one MLflow client waits for, in ms: `mlflow_calls.py <metrics> <batches> <result file>`."""
import json
import os
import statistics
import sys
import time

import mlflow


def timed(call, *args, **kwargs):
    began = time.perf_counter()
    call(*args, **kwargs)
    return (time.perf_counter() - began) * 1000


metrics, batches = int(sys.argv[1]), int(sys.argv[2])
first = timed(mlflow.start_run)
singles = [timed(mlflow.log_metric, "loss", step, step=step) for step in range(metrics)]
many = [timed(mlflow.log_metrics, {f"m{key}": key for key in range(1000)}, step=step) for step in range(batches)]
last = timed(mlflow.end_run)
with open(sys.argv[3], "w") as file:
    json.dump(
        {"first": first, "single": statistics.median(singles), "batch": statistics.median(many), "end": last}, file
    )
