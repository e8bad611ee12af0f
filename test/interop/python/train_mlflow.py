"""Trains in plain MLflow, knowing nothing of `track`: `train_mlflow.py [way to end]`.

Beside that a thread appends to $TRACK_LOG from the first moment on, so also while MLflow upgrades the database.
"""
import json
import os
import sys
import threading
import time


def append_lines(path, stop):
    step = 0
    with open(path, "a") as log:
        while not stop.is_set():
            log.write(json.dumps({"metrics": {"appended": step / 2}, "step": step}) + "\n")
            log.flush()
            step += 1
            time.sleep(0.01)
    return step


def main(way):
    stop = threading.Event()
    appended = []
    appender = threading.Thread(target=lambda: appended.append(append_lines(os.environ["TRACK_LOG"], stop)))
    appender.start()

    import mlflow

    mlflow.log_param("opt", "adam")
    for step in range(20):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.set_tag("team", "vision")
    mlflow.log_text("hello", "notes/a.txt")
    run_id = mlflow.active_run().info.run_id
    stop.set()
    appender.join()
    print(json.dumps({"run_id": run_id, "appended": appended[0]}))
    if way == "end-failed":
        mlflow.end_run("FAILED")
    elif way == "exit-3":
        sys.exit(3)


main(*(sys.argv[1:] or ["plain"]))
