"""Autologged fits without a run: one that fails, more that do not, what is read and written after each."""
import sys

import keeper
import mlflow
from keeper import SAID, active

keeper.autolog()
SAID["failed"] = keeper.failing_fit()
if len(sys.argv) > 1:
    keeper.tell()
    sys.exit()
SAID["after_failed"] = active()
mlflow.log_metric("implicit", 1)
SAID["open_again"] = active()

# The run is open, but not by the script's own start_run: the params would clash.
model, score = keeper.fit(C=0.5)
SAID["second"] = mlflow.search_runs(filter_string="params.C = '0.5'", output_format="list")[0].info.run_id
SAID["still_open"] = active()
mlflow.end_run()
model.score([[1.0, 2.0]], [0])

mlflow.sklearn.log_model(model, "model", pip_requirements=["scikit-learn"])
SAID["log_model"] = active()
mlflow.end_run()

with mlflow.start_run(nested=True, run_name="own") as run:
    SAID["own"] = run.info.run_id
    keeper.fit(C=0.25)

evaluated = keeper.evaluate(), keeper.evaluate()
SAID["evaluated"], SAID["evaluated_again"] = evaluated

SAID["failed_again"] = keeper.failing_fit()
keeper.tell()
