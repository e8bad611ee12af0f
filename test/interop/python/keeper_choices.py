"""A script that names an experiment, and then a store, of its own choice."""
import sys

import keeper
import mlflow

mlflow.set_experiment("chosen in code")
keeper.SAID["chosen"] = keeper.start()

mlflow.set_tracking_uri("sqlite:///" + sys.argv[1] + "/elsewhere.db")
mlflow.set_experiment("elsewhere")
for _ in range(2):
    mlflow.get_run(keeper.start())
mlflow.log_metric("implicit", 1)
mlflow.end_run()
keeper.SAID["elsewhere"] = [
    run.data.tags.get("mlflow.parentRunId") for run in mlflow.search_runs(output_format="list")
]
keeper.tell()
