"""What MLflow reads of a whole tracking store, as JSON; a value of another type than MLflow documents is an error."""
import hashlib
import math

from mlflow import MlflowClient
from mlflow.entities import ViewType


LARGEST = 1.7976931348623157e308


def dump_store(uri):
    client = MlflowClient(uri)
    experiments = list(pages(lambda token: client.search_experiments(view_type=ViewType.ALL, page_token=token)))
    ids = [experiment.experiment_id for experiment in experiments]
    runs = pages(lambda token: client.search_runs(ids, run_view_type=ViewType.ALL, max_results=7, page_token=token))
    models = pages(lambda token: client.search_logged_models(ids, page_token=token))
    return {
        "experiments": [dump_experiment(client.get_experiment(experiment_id)) for experiment_id in ids],
        "runs": [dump_run(client, client.get_run(run.info.run_id)) for run in runs],
        "models": [dump_model(client.get_logged_model(model.model_id)) for model in models],
    }


def pages(search):
    token = None
    while True:
        page = search(token)
        yield from page
        token = page.token
        if not token:
            return


def dump_experiment(experiment):
    return {
        "experiment_id": text(experiment.experiment_id),
        "name": text(experiment.name),
        "lifecycle_stage": text(experiment.lifecycle_stage),
        "artifact_location": text(experiment.artifact_location),
        "creation_time": integer(experiment.creation_time),
        "last_update_time": integer(experiment.last_update_time),
        "tags": texts(experiment.tags),
    }


def dump_run(client, run):
    info, data = run.info, run.data
    return {
        "run_id": text(info.run_id),
        "run_name": text(info.run_name),
        "experiment_id": text(info.experiment_id),
        "user_id": text(info.user_id),
        "status": text(info.status),
        "start_time": integer(info.start_time),
        "end_time": None if info.end_time is None else integer(info.end_time),
        "lifecycle_stage": text(info.lifecycle_stage),
        "artifact_uri": text(info.artifact_uri),
        "metrics": {metric.key: point(metric) for metric in data._metric_objs},
        "history": {key: [point(m) for m in client.get_metric_history(info.run_id, key)] for key in data.metrics},
        "params": texts(data.params),
        "tags": texts(data.tags),
        "datasets": [dump_dataset_input(i) for i in run.inputs.dataset_inputs],
        "models_used": [model.model_id for model in run.inputs.model_inputs],
        "models_made": [[model.model_id, integer(model.step)] for model in run.outputs.model_outputs if run.outputs],
        "artifacts": list(dump_artifacts(client, info.run_id, None)),
    }


def dump_dataset_input(dataset_input):
    dataset = dataset_input.dataset
    return {
        "name": text(dataset.name),
        "digest": text(dataset.digest),
        "source_type": text(dataset.source_type),
        "source": text(dataset.source),
        "schema": dataset.schema,
        "profile": dataset.profile,
        "tags": texts({tag.key: tag.value for tag in dataset_input.tags}),
    }


def dump_model(model):
    return {
        "model_id": text(model.model_id),
        "experiment_id": text(model.experiment_id),
        "name": text(model.name),
        "artifact_location": text(model.artifact_location),
        "creation_timestamp": integer(model.creation_timestamp),
        "last_updated_timestamp": integer(model.last_updated_timestamp),
        "status": str(model.status),
        "model_type": model.model_type,
        "source_run_id": model.source_run_id,
        "params": texts(model.params),
        "tags": texts(model.tags),
        "metrics": sorted([metric.key, *point(metric)] for metric in model.metrics or []),
    }


def dump_artifacts(client, run_id, path):
    """In MLflow's order; the content as its hash."""
    for entry in client.list_artifacts(run_id, path):
        if entry.is_dir:
            yield [entry.path, None, None]
            yield from dump_artifacts(client, run_id, entry.path)
        else:
            with open(client.download_artifacts(run_id, entry.path), "rb") as file:
                yield [entry.path, integer(entry.file_size), hashlib.sha256(file.read()).hexdigest()]


def point(metric):
    if type(metric.value) is not float:
        raise TypeError(f"metric {metric.key}: {metric.value!r} is no float")
    # SQL has no infinity: MLflow keeps the largest number instead, its file store does not.
    value = "NaN" if math.isnan(metric.value) else min(max(metric.value, -LARGEST), LARGEST)
    return [value, integer(metric.timestamp), integer(metric.step)]


def integer(value):
    if type(value) is not int:
        raise TypeError(f"{value!r} is no int")
    return value


def text(value):
    if type(value) is not str:
        raise TypeError(f"{value!r} is no str")
    return value


def texts(pairs):
    return {text(key): text(value) for key, value in pairs.items()}
