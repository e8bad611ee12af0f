"""Workers that only help: they load data for a loop that logs, as a DataLoader's do, or fit in parallel for one search."""
import concurrent.futures
import multiprocessing

import keeper
import mlflow
import numpy

said = keeper.SAID


def load(number):
    """A worker has imported MLflow, and never logs."""
    return int(numpy.full(4, number).sum())


def fetch(orders, batches):
    for number in iter(orders.get, None):
        batches.put(load(number))


def train(method):
    """Workers that live through the epochs, fed by queues."""
    context = multiprocessing.get_context(method)
    orders, batches = context.Queue(), context.Queue()
    crew = [context.Process(target=fetch, args=(orders, batches), daemon=True) for _ in range(2)]
    for process in crew:
        process.start()
    for epoch in range(3):
        for number in range(8):
            orders.put(number)
        total = sum(batches.get(timeout=60) for _ in range(8))
        mlflow.log_metric(method + "_total", total, step=epoch)
    for _ in crew:
        orders.put(None)
    for process in crew:
        process.join()


def log_in_worker(number):
    """One that logs to the run by its id, from a thread of a spawned process."""
    client = mlflow.MlflowClient()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for step in range(20):
            pool.submit(client.log_metric, keeper.HOME, "worker_%d" % number, step, step=step)
    return number


def log_in_thread(number):
    """One that logs by the fluent functions, in a thread that has opened no run."""
    for step in range(20):
        mlflow.log_metrics({"thread_%d" % number: step, "square_%d" % number: step * step}, step=step)


def log_behind(name):
    """One that logs in the background, and ends without waiting for it."""
    client = mlflow.MlflowClient()
    for step in range(20):
        client.log_metric(keeper.HOME, name, step, step=step, synchronous=False)


def log_in_background():
    """A forked process gets the queue of its parent, but no thread that empties it."""
    log_behind("behind_first")
    forked = multiprocessing.get_context("fork").Process(target=log_behind, args=("behind_forked",))
    forked.start()
    forked.join(60)
    log_behind("behind_last")
    return forked.exitcode


def search():
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    mlflow.sklearn.autolog(log_models=False, max_tuning_runs=2)
    features, classes = numpy.arange(40.0).reshape(20, 2), numpy.tile([0, 1], 10)
    GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, n_jobs=2).fit(features, classes)


def main():
    with mlflow.start_run() as run:
        said["started"] = run.info.run_id
        for method in ("fork", "spawn"):
            train(method)
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            said["workers"] = list(pool.map(log_in_worker, range(2)))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(log_in_thread, range(8)))
        said["forked"] = log_in_background()
        said["still"] = keeper.active()
        search()
    keeper.tell()


if __name__ == "__main__":
    main()
