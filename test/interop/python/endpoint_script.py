"""Training programs in small: `endpoint_script.py <name>`; the last line of stdout is JSON of what the program saw."""
import json
import multiprocessing
import os
import signal
import sys
import threading
import time

import mlflow

RUN_ID = os.environ["TRACK_RUN_ID"]


def fluent():
    mlflow.log_param("lr", 0.1)
    for step in range(50):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_metrics({f"m{i}": float("nan") if i == 1 else i for i in range(1200)})
    mlflow.set_tags({"team": "vision", "gone": "soon"})
    mlflow.delete_tag("gone")
    mlflow.log_text("hello", "notes/a.txt")
    run_id = mlflow.active_run().info.run_id
    run = mlflow.get_run(run_id)
    try:
        mlflow.log_param("lr", 0.2)
        changed = "taken"
    except mlflow.MlflowException as error:
        changed = error.error_code
    found = mlflow.search_runs(["0"], "params.lr = '0.1'", output_format="list")
    return {
        "run_id": run_id,
        "status": run.info.status,
        "loss": run.data.metrics["loss"],
        "tags": {key: run.data.tags.get(key) for key in ("team", "gone")},
        "history": len(mlflow.MlflowClient().get_metric_history(run_id, "loss")),
        "changed": changed,
        "found": [one.info.run_id for one in found],
        "artifacts": [one.path for one in mlflow.MlflowClient().list_artifacts(run_id, "notes")],
    }


def client():
    """As Ray and many home-made loggers do: no fluent function is called."""
    mine = mlflow.MlflowClient()
    first = mine.create_run("0", run_name="named in code", tags={"from": "client", "pinned": "code"})
    second = mine.create_run("0")
    for run in (first, second):
        mine.log_metric(run.info.run_id, "x", 1)
    mine.set_terminated(first.info.run_id, "FINISHED")
    return {"first": first.info.run_id, "second": second.info.run_id, "name": first.info.run_name}


def nested():
    children = []
    with mlflow.start_run() as parent:
        for trial in range(3):
            with mlflow.start_run(nested=True, run_name=f"trial {trial}") as child:
                mlflow.log_param("trial", trial)
                mlflow.log_metric("score", trial)
                children.append(child.info.run_id)
        mlflow.log_metric("best", 2)
    return {"parent": parent.info.run_id, "children": children}


def chosen():
    experiment = mlflow.set_experiment("chosen in code")
    with mlflow.start_run() as run:
        mlflow.log_metric("x", 1)
    return {"run_id": run.info.run_id, "experiment": experiment.experiment_id}


def looked_up():
    """An experiment that is only read is none that was chosen."""
    experiment = mlflow.get_experiment_by_name("chosen in code")
    runs = mlflow.search_runs([experiment.experiment_id], output_format="list")
    with mlflow.start_run() as run:
        mlflow.log_metric("baselines", len(runs))
    return {"run_id": run.info.run_id}


def other():
    with mlflow.start_run(run_id=os.environ["OTHER_RUN"]) as run:
        mlflow.log_metric("more", 2)
        mlflow.log_param("late", "yes")
    return {"run_id": run.info.run_id, "kept": mlflow.get_run(run.info.run_id).data.params["early"]}


def threads():
    mlflow.start_run()
    run_id = mlflow.active_run().info.run_id

    def work(number):
        mine = mlflow.MlflowClient()
        for step in range(25):
            mine.log_metric(run_id, f"thread{number}", step, step=step)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return {"run_id": run_id}


def workers():
    mlflow.start_run()
    run_id = mlflow.active_run().info.run_id
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        started = [context.Process(target=log_named, args=(run_id, f"{method}{n}")) for n in range(2)]
        for process in started:
            process.start()
        for process in started:
            process.join()
    mlflow.log_metric("after", 1)
    return {"run_id": run_id}


def log_named(run_id, name):
    mlflow.MlflowClient().log_metric(run_id, name, 1)


def part():
    """One of several programs of one command; the param differs."""
    mlflow.log_param("part", sys.argv[2])
    mlflow.log_metric(f"part{sys.argv[2]}", 1)
    return {"run_id": mlflow.active_run().info.run_id}


def loop():
    """Logs a point every few ms until it has logged as many as it was told."""
    mlflow.start_run()
    with mlflow.start_run(nested=True) as child:
        mlflow.log_param("kind", "child")
    slowest = 0
    for step in range(int(sys.argv[2])):
        began = time.time()
        mlflow.log_metric("loss", step, step=step)
        slowest = max(slowest, time.time() - began)
        if step == 20:
            open("going", "w").close()
        time.sleep(0.005)
    return {"run_id": mlflow.active_run().info.run_id, "child": child.info.run_id, "slowest": slowest}


def until_stopped():
    """Logs until there is a file `stop`; a file `told` says that SIGTERM has come."""
    signal.signal(signal.SIGTERM, lambda *_: open("told", "w").close())
    mlflow.start_run()
    slowest, step = 0, 0
    while not os.path.exists("stop"):
        began = time.time()
        mlflow.log_metric("loss", step, step=step)
        slowest = max(slowest, time.time() - began)
        step += 1
        if step == 20:
            open("going", "w").close()
        time.sleep(0.02)
    return {"points": step, "slowest": slowest}


def log_many(run_id, number, count):
    mine = mlflow.MlflowClient()
    for step in range(count):
        mine.log_metric(run_id, f"process{number}", step, step=step)


def load():
    """Many processes that log as fast as they can, all to one run."""
    mlflow.start_run()
    run_id = mlflow.active_run().info.run_id
    context = multiprocessing.get_context("fork")
    count = int(sys.argv[3])
    processes = [context.Process(target=log_many, args=(run_id, n, count)) for n in range(int(sys.argv[2]))]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return {"run_id": run_id, "exits": [process.exitcode for process in processes]}


def crash():
    mlflow.log_metric("x", 1)
    mlflow.MlflowClient().create_run("0", tags={"left": "open"})
    raise RuntimeError("on purpose")


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()), flush=True)
