"""A training program inside `track run` before a server with workspaces: asks it for what only it knows, then loses it."""
import json
import os
import time

import mlflow

client = mlflow.MlflowClient()
with mlflow.start_run() as run:
    mlflow.log_metric("before", 1)
    client.create_registered_model("net")
    registered = [one.name for one in client.search_registered_models()]
    found = len(mlflow.search_runs([run.info.experiment_id], "metrics.before = 1", output_format="list"))
    open("asked", "w").close()
    while not os.path.exists("on"):
        time.sleep(0.02)
    mlflow.log_metric("after", 2)
print(json.dumps({"registered": registered, "found": found, "workspace": os.environ.get("MLFLOW_WORKSPACE")}))
