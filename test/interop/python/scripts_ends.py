"""How a program with an autologged fit can end: `scripts_ends.py <how>`."""
import os
import signal
import sys

import keeper
import mlflow

keeper.autolog()
keeper.fit()
how = sys.argv[1]
keeper.SAID["run"] = keeper.active()
keeper.tell()
if how == "says so":
    with mlflow.active_run():
        mlflow.log_metric("after", 1)
    mlflow.end_run(status="FAILED")
elif how == "raises":
    raise RuntimeError("after the fit")
elif how == "is told to end":
    with mlflow.active_run():
        os.kill(os.getpid(), signal.SIGTERM)
