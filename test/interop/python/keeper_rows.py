"""What a script can do with runs when nothing is autologged: one row after the other of the run keeper's table."""
import sys
import threading

import keeper
import mlflow
from keeper import SAID, active, start

SAID["nested_first"] = start(nested=True, run_name="trial")
SAID["left_for_the_first"] = keeper.os.environ.get("MLFLOW_RUN_ID")

mlflow.set_tag("implicit", "1")
SAID["implicit"] = active()
try:
    mlflow.start_run()
except Exception as error:
    SAID["second_while_open"] = "already active" in str(error)
SAID["nested_while_open"] = start(nested=True, run_name="below")
mlflow.end_run()
SAID["ended"] = active()

mlflow.log_metric("again", 2)
SAID["implicit_again"] = active()
mlflow.end_run()
mlflow.log_text("hello", "notes/a.txt")
mlflow.end_run()

SAID["further"] = start(run_name="further", tags={"a": "b"})
SAID["nested_last"] = start(nested=True, run_name="last")
SAID["parent_given"] = start(parent_run_id=SAID["further"], run_name="grandchild")

experiment = mlflow.get_run(keeper.HOME).info.experiment_id
other = mlflow.MlflowClient().create_run(experiment, run_name="other", tags={"mlflow.parentRunId": keeper.HOME})
SAID["other"] = other.info.run_id
SAID["other_started"] = start(run_id=other.info.run_id)


def log_in_thread():
    mlflow.log_metric("from_thread", 3)
    SAID["thread_implicit"] = active()
    mlflow.end_run()
    SAID["thread_explicit"] = start(run_name="in a thread")


thread = threading.Thread(target=log_in_thread)
thread.start()
thread.join()

for name, code in (("leaves", 0), ("leaves badly", 3)):
    try:
        with mlflow.start_run(run_name=name):
            sys.exit(code)
    except SystemExit:
        pass

keeper.tell()
