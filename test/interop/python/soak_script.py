"""
`soak_script.py <points> <file>`: four MLflow clients train and log that many points together, 100 a step. Every other step
logs nothing, so that the two can be compared. `<file><client>` is there once a client has logged. Prints, for each client, its steps
as [when it began, ms it took, ms of them for logging], the last `null` for a step that logs nothing.
"""
import json
import os
import subprocess
import sys
import time

CLIENTS = 4
BATCH = 100
# Some computing, then a wait for what would be an accelerator.
ROUNDS = 400_000
WAIT_SECONDS = 0.25


def compute():
    total = 0
    for number in range(ROUNDS):
        total += number & 7
    return total


def work(client_number, points):
    from mlflow import MlflowClient
    from mlflow.entities import Metric

    client = MlflowClient()
    steps = []
    for index in range(2 * (points // BATCH)):
        began_at = time.time() * 1000
        began = time.monotonic()
        compute()
        time.sleep(WAIT_SECONDS)
        logging = None
        if index % 2 == 1:
            first = (index // 2) * BATCH
            now = int(time.time() * 1000)
            metrics = [Metric(f"client{client_number}", step, now, step) for step in range(first, first + BATCH)]
            called = time.monotonic()
            client.log_batch(os.environ["TRACK_RUN_ID"], metrics=metrics)
            logging = (time.monotonic() - called) * 1000
        took = (time.monotonic() - began) * 1000
        steps.append([began_at, took, logging])
        if index == 1:
            open(f"{sys.argv[2]}{client_number}", "w").close()
    return steps


if len(sys.argv) == 4:
    print(json.dumps(work(int(sys.argv[3]), int(sys.argv[1]) // CLIENTS)))
else:
    workers = [
        subprocess.Popen([sys.executable, __file__, *sys.argv[1:], str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(CLIENTS)
    ]
    steps = [json.loads(worker.communicate()[0]) for worker in workers]
    failed = [worker.returncode for worker in workers if worker.returncode]
    print(json.dumps({"steps": steps, "failed": failed}))
