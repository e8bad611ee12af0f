"""A script that opens the run itself, fits twice in it, and leaves by sys.exit(0) inside of it."""
import sys

import keeper
import mlflow

keeper.autolog()
with mlflow.start_run(tags={"team": "vision"}, description="why") as run:
    keeper.SAID["first"] = run.info.run_id
    keeper.fit(C=0.5)
    # The same params again, as MLflow wants it within one run.
    keeper.fit(C=0.5)
    mlflow.end_run()
    keeper.SAID["after"] = keeper.active()
    keeper.fit(C=0.1)
    keeper.SAID["last"] = mlflow.last_active_run().info.run_id
    keeper.SAID["entered_again"] = mlflow.active_run().info.run_id
    with mlflow.active_run():
        keeper.tell()
        sys.exit(0)
