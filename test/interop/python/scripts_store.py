"""A script that names the store itself, and it is the very one that `track` records in; then one that nobody serves."""
import os
import sys

# Where the script has it from its own configuration, before MLflow is there.
os.environ["MLFLOW_TRACKING_URI"] = "sqlite:///mlflow.db"
import keeper  # noqa: E402
import mlflow  # noqa: E402

said = keeper.SAID
token = os.environ["MLFLOW_TRACKING_TOKEN"]
with mlflow.start_run() as run:
    said["started"] = run.info.run_id
    mlflow.log_metric("by_variable", 1)
    mlflow.MlflowClient(tracking_uri="sqlite:///" + os.path.abspath("mlflow.db")).log_metric(keeper.HOME, "by_client", 1)
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.log_metric("by_call", 1)
mlflow.end_run()
mlflow.set_tracking_uri("http://127.0.0.1:9/")
said["token_elsewhere"] = "MLFLOW_TRACKING_TOKEN" in os.environ
mlflow.set_tracking_uri(sys.argv[1])
said["token"] = os.environ.get("MLFLOW_TRACKING_TOKEN") == token
with mlflow.start_run(nested=True) as run:
    said["child"] = run.info.run_id
said["opened"] = "mlflow.store.tracking.sqlalchemy_store" in sys.modules
keeper.tell()
