"""Worker processes of each kind: what they log without a run, and what a run is that they open."""
import json
import multiprocessing
import os
import subprocess
import sys

import keeper
import mlflow


def work(name):
    mlflow.log_metric(name, 1)
    implicit = keeper.active()
    mlflow.end_run()
    return {"implicit": implicit, "explicit": keeper.start(run_name=name)}


def open_first(name):
    return keeper.start(run_name=name)


def run_in(method, function, name):
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.apply(function, (name,))


def main():
    said = keeper.SAID
    said["fork"] = run_in("fork", work, "fork")
    said["forkserver"] = run_in("forkserver", work, "forkserver")
    mlflow.log_param("parent", "has started")
    said["spawn_opens_first"] = run_in("spawn", open_first, "spawn")
    answer = subprocess.run([sys.executable, __file__, "subprocess"], stdout=subprocess.PIPE, check=True)
    said["subprocess"] = json.loads(answer.stdout.decode().splitlines()[-1])
    keeper.tell()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] == "rank":
        rank = os.environ["RANK"]
        with mlflow.start_run() as run:
            mlflow.log_param("lr", "0.1")
            mlflow.log_metric("rank_" + rank, 1)
            keeper.SAID["started"] = run.info.run_id
        keeper.tell()
    else:
        print(json.dumps(work(sys.argv[1])))
