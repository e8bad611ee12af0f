"""Uses a tracking server through MLflow's own client, as programs do; prints what it saw as one JSON document."""

import json
import math
import os
import sys
import tempfile

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException


def error_of(action):
    try:
        action()
    except MlflowException as error:
        return error.error_code
    return None


def use_runs(client, seen):
    experiment_id = mlflow.set_experiment("driven").experiment_id
    mlflow.set_experiment_tags({"team": "vision"})
    with mlflow.start_run(run_name="parent", tags={"a": "1"}, description="text") as run:
        run_id = run.info.run_id
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({f"p{index}": index for index in range(250)})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metric("odd", math.nan)
        mlflow.log_metric("huge", math.inf)
        mlflow.set_tags({"colour": "grün", "gone": "x"})
        mlflow.delete_tag("gone")
        client.log_batch(
            run_id,
            metrics=[Metric("bulk", step / 2, 1000 + step, step) for step in range(2500)],
            params=[Param("batch", "yes")],
            tags=[RunTag("batch", "yes")],
        )
        mlflow.log_text("hello", "notes/a.txt")
        mlflow.log_dict({"a": 1}, "d.json")
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("loss", 9)
            child_id = child.info.run_id
        seen["changed_param"] = error_of(lambda: mlflow.log_param("lr", 0.2))
    run = client.get_run(run_id)
    seen["run"] = {
        "status": run.info.status,
        "name": run.info.run_name,
        "params": len(run.data.params),
        "lr": run.data.params["lr"],
        "loss": run.data.metrics["loss"],
        "odd": str(run.data.metrics["odd"]),
        "huge": run.data.metrics["huge"] > 1e300,
        "colour": run.data.tags["colour"],
        "gone": "gone" in run.data.tags,
        "note": run.data.tags["mlflow.note.content"],
    }
    seen["history"] = [(m.step, m.value) for m in client.get_metric_history(run_id, "loss")]
    seen["bulk"] = len(client.get_metric_history(run_id, "bulk"))
    seen["parent"] = client.get_run(child_id).data.tags["mlflow.parentRunId"] == run_id
    found = mlflow.search_runs([experiment_id], "metrics.bulk > 1 and params.lr = '0.1'", output_format="list")
    seen["found"] = [r.info.run_name for r in found]
    client.set_terminated(child_id, "KILLED")
    seen["killed"] = client.get_run(child_id).info.status
    client.delete_run(child_id)
    seen["deleted"] = [r.info.run_name for r in client.search_runs([experiment_id], run_view_type=ViewType.DELETED_ONLY)]
    client.restore_run(child_id)
    client.update_run(child_id, status="FAILED", name="renamed")
    seen["renamed"] = [client.get_run(child_id).info.run_name, client.get_run(child_id).info.status]
    seen["no_run"] = error_of(lambda: client.get_run("0" * 32))
    seen["resumed"] = resume(run_id)
    return run_id


def resume(run_id):
    with mlflow.start_run(run_id=run_id) as run:
        mlflow.log_metric("later", 1)
        return run.info.run_id == run_id


def use_experiments(client, seen):
    experiment_id = client.create_experiment("second", tags={"x": "y"})
    client.rename_experiment(experiment_id, "renamed")
    seen["taken_name"] = error_of(lambda: client.create_experiment("renamed"))
    seen["experiments"] = sorted(e.name for e in client.search_experiments())
    seen["pages"] = len(client.search_experiments(max_results=1, order_by=["name ASC"]).token) > 0
    client.delete_experiment(experiment_id)
    seen["stage"] = client.get_experiment(experiment_id).lifecycle_stage
    client.restore_experiment(experiment_id)
    seen["tag"] = client.get_experiment_by_name("renamed").tags["x"]
    seen["no_experiment"] = error_of(lambda: client.get_experiment("99999"))


def use_artifacts(client, run_id, seen):
    seen["artifacts"] = sorted(file.path for file in client.list_artifacts(run_id))
    seen["notes"] = [(file.path, file.file_size) for file in client.list_artifacts(run_id, "notes")]
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "big.bin"), "wb") as file:
            file.write(b"0123456789abcdef" * 524_288)
        client.log_artifact(run_id, os.path.join(folder, "big.bin"), "deep/er")
        copy = client.download_artifacts(run_id, "deep/er/big.bin", folder)
        with open(copy, "rb") as file:
            seen["big"] = file.read() == b"0123456789abcdef" * 524_288
        names = ["sp ace.txt", "ümlaut.txt", "plus+sign.txt", "q?mark.txt", "a&b=c;d.txt"]
        os.mkdir(os.path.join(folder, "odd"))
        for name in names:
            with open(os.path.join(folder, "odd", name), "w") as file:
                file.write(name)
        client.log_artifacts(run_id, os.path.join(folder, "odd"), "odd")
        seen["odd_names"] = sorted(file.path for file in client.list_artifacts(run_id, "odd"))
    seen["text"] = mlflow.artifacts.load_text(client.get_run(run_id).info.artifact_uri + "/notes/a.txt")


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * value for value in model_input]


def use_models(client, seen):
    import pandas

    with mlflow.start_run(run_name="models") as run:
        dataset = mlflow.data.from_pandas(pandas.DataFrame({"x": [1, 2]}), name="numbers", source="here.csv")
        mlflow.log_input(dataset, context="train")
        info = mlflow.pyfunc.log_model(
            name="doubler",
            python_model=Doubler(),
            pip_requirements=["mlflow"],
            registered_model_name="doubler",
            params={"factor": 2},
        )
        mlflow.log_metric("score", 0.5, model_id=info.model_id, dataset=dataset)
    model = client.get_logged_model(info.model_id)
    seen["model"] = {
        "status": str(model.status),
        "params": model.params,
        "metrics": [(m.key, m.value, m.dataset_name) for m in model.metrics],
        "run": model.source_run_id == run.info.run_id,
    }
    client.set_logged_model_tags(info.model_id, {"stage": "late"})
    experiment_id = run.info.experiment_id
    found = client.search_logged_models([experiment_id], filter_string="metrics.score > 0.1 AND tags.stage = 'late'")
    seen["models"] = [m.name for m in found]
    kept = client.get_run(run.info.run_id)
    seen["inputs"] = [d.dataset.name for d in kept.inputs.dataset_inputs]
    seen["outputs"] = [m.model_id == info.model_id for m in kept.outputs.model_outputs]
    seen["predicted"] = mlflow.pyfunc.load_model(info.model_uri).predict([1, 2])

    client.set_registered_model_alias("doubler", "best", "1")
    client.set_registered_model_tag("doubler", "team", "vision")
    client.set_model_version_tag("doubler", "1", "checked", "yes")
    client.update_model_version("doubler", "1", "the first")
    second = mlflow.register_model(info.model_uri, "doubler")
    seen["versions"] = sorted(int(v.version) for v in client.search_model_versions("name = 'doubler'"))
    seen["second"] = [int(second.version), second.run_id == run.info.run_id]
    seen["by_alias"] = mlflow.pyfunc.load_model("models:/doubler@best").predict([3])
    seen["by_number"] = mlflow.pyfunc.load_model("models:/doubler/2").predict([4])
    seen["registered"] = [m.name for m in client.search_registered_models("tags.team = 'vision'")]
    version = client.get_model_version_by_alias("doubler", "best")
    seen["version"] = [version.description, version.tags["checked"], list(version.aliases)]
    client.delete_registered_model_alias("doubler", "best")
    client.delete_model_version("doubler", "2")
    client.rename_registered_model("doubler", "twice")
    seen["left"] = [int(v.version) for v in client.search_model_versions("name = 'twice'")]
    client.delete_registered_model("twice")
    seen["no_model"] = error_of(lambda: client.get_registered_model("twice"))
    client.delete_logged_model(info.model_id)
    seen["no_logged_model"] = error_of(lambda: client.get_logged_model(info.model_id))


def main():
    mlflow.set_tracking_uri(sys.argv[1])
    client = MlflowClient()
    seen = {}
    run_id = use_runs(client, seen)
    use_experiments(client, seen)
    use_artifacts(client, run_id, seen)
    use_models(client, seen)
    print("SEEN " + json.dumps(seen))


main()
