"""Which store a process talks to, and with what."""
import os

import keeper
import mlflow

keeper.SAID["uri"] = mlflow.get_tracking_uri()
keeper.SAID["credentials"] = [name for name in sorted(os.environ) if name.startswith("MLFLOW_TRACKING_") and name[16:] != "URI"]
# Another experiment than the run's, which MLflow would refuse to go on with.
mlflow.set_experiment("chosen in code")
keeper.SAID["started"] = keeper.start()
keeper.tell()
