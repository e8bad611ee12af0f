"""Continues a run that `track` made, in plain MLflow: `resume_run.py <tracking uri> <run id>`."""
import sys

import mlflow

mlflow.set_tracking_uri(sys.argv[1])
with mlflow.start_run(run_id=sys.argv[2]):
    mlflow.log_metric("after", 7.5, step=3, timestamp=1234)
    mlflow.log_param("resumed_by", "mlflow")
    mlflow.set_tag("phase", "second")
    mlflow.log_text("more", "notes/more.txt")
