"""A script of old that keeps its runs in `./mlruns`, where by then our own artifacts lie."""
import os
import time

import keeper
import mlflow

while not os.path.isdir("mlruns"):
    time.sleep(0.02)
ours = mlflow.get_tracking_uri()
mlflow.set_tracking_uri("./mlruns")
with mlflow.start_run() as run:
    mlflow.log_metric("there", 1)
found = mlflow.get_run(run.info.run_id)
keeper.SAID["elsewhere"] = [found.info.experiment_id, found.data.tags.get("mlflow.parentRunId")]
mlflow.set_tracking_uri(ours)
with mlflow.start_run(nested=True, run_name="back") as run:
    keeper.SAID["back"] = run.info.experiment_id
keeper.tell()
