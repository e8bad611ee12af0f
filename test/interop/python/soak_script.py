"""`soak_script.py <points> <file>`: four MLflow clients log that many points together, in batches; tells how far it is, then how long it took."""
import json
import os
import subprocess
import sys
import time

CLIENTS = 4
BATCH = 100


def work(client_number, points):
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    client = MlflowClient()
    begun = time.monotonic()
    for first in range(0, points, BATCH):
        now = int(time.time() * 1000)
        metrics = [Metric(f"client{client_number}", step, now, step) for step in range(first, first + BATCH)]
        client.log_batch(os.environ["TRACK_RUN_ID"], metrics=metrics)
        time.sleep(0.02)
    return time.monotonic() - begun


if len(sys.argv) == 4:
    print(work(int(sys.argv[3]), int(sys.argv[1]) // CLIENTS))
else:
    workers = [
        subprocess.Popen([sys.executable, __file__, *sys.argv[1:], str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(CLIENTS)
    ]
    open(sys.argv[2], "w").close()
    took = [float(worker.communicate()[0]) for worker in workers]
    failed = [worker.returncode for worker in workers if worker.returncode]
    print(json.dumps({"took": max(took), "failed": failed}))
