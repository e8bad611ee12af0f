"""The three ways in which tutorials put autologging and runs together, as they stand there."""
import sys

import keeper
import mlflow

way = sys.argv[1]
if way == "a":
    with mlflow.start_run() as run:
        keeper.autolog()
        model, score = keeper.fit(C=0.5)
        mlflow.log_metric("test_score", score)
        keeper.SAID["inside"] = run.info.run_id
elif way == "b":
    keeper.autolog()
    model, score = keeper.fit(C=0.5)
    keeper.SAID["after_fit"] = keeper.active()
    with mlflow.active_run() as run:
        mlflow.log_metric("test_score", score)
        mlflow.set_tag("note", "entered")
        keeper.SAID["inside"] = run.info.run_id
    keeper.SAID["env"] = "MLFLOW_RUN_ID" in keeper.os.environ
    keeper.fit(C=0.1)
    keeper.SAID["last"] = mlflow.last_active_run().info.run_id
    mlflow.log_metric("after_all", 3)
elif way == "c":
    mlflow.log_param("dataset", "tiny")
    keeper.autolog()
    model, score = keeper.fit(C=0.5)
    with mlflow.active_run() as run:
        mlflow.log_metric("test_score", score)
        keeper.SAID["inside"] = run.info.run_id
keeper.tell()
