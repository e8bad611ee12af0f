"""What a program can log besides numbers: files, figures, tables, images, datasets, models; with a look at what it can read back."""
import os

import keeper
import matplotlib
import mlflow
import numpy
import pandas
from PIL import Image

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

said = keeper.SAID
client = mlflow.MlflowClient()
NEW = numpy.array([[39.0, 40.0]])


def log_files():
    os.makedirs("out/deep", exist_ok=True)
    for path, text in (("out/one.txt", "1"), ("out/deep/two words & é.txt", "2"), ("single.txt", "3")):
        with open(path, "w") as file:
            file.write(text)
    mlflow.log_artifact("single.txt")
    mlflow.log_artifact("single.txt", "below/this")
    mlflow.log_artifacts("out", "all")
    mlflow.log_text("hello", "notes/a.txt")
    mlflow.log_dict({"a": [1, 2]}, "notes/a.json")
    mlflow.log_dict({"a": [1, 2]}, "notes/a.yaml")
    figure, axes = plt.subplots()
    axes.plot([0, 1], [2, 3])
    mlflow.log_figure(figure, "figures/line.png")
    mlflow.log_image(numpy.zeros((4, 4, 3), dtype=numpy.uint8), "images/black.png")
    for step in range(2):
        mlflow.log_image(Image.new("RGB", (4, 4), "red"), key="sample", step=step)
    mlflow.log_table({"question": ["a", "b"], "answer": [1, 2]}, "table.json")
    mlflow.log_table({"question": ["c"], "answer": [3]}, "table.json")
    mlflow.flush_artifact_async_logging()


def read_files(run_id):
    with open(client.download_artifacts(run_id, "all/deep/two words & é.txt")) as file:
        said["downloaded"] = file.read()
    said["text"] = mlflow.artifacts.load_text(mlflow.get_artifact_uri("notes/a.txt"))
    said["table"] = len(mlflow.load_table("table.json", run_ids=[run_id]))
    said["image"] = mlflow.artifacts.load_image(mlflow.get_artifact_uri("images/black.png")).size
    said["listed"] = sorted(one.path for one in client.list_artifacts(run_id))


def log_dataset():
    frame = pandas.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
    dataset = mlflow.data.from_pandas(frame, source="https://example.org/x.csv", name="tiny", targets="y")
    mlflow.log_input(dataset, context="training")
    mlflow.log_input(mlflow.data.from_numpy(numpy.zeros((2, 2)), name="zeros"), context="test", tags={"part": "2"})


def log_models(run_id):
    model, _ = keeper.fit(C=0.5)
    named = {"name": "model"} if mlflow.__version__ >= "3" else {"artifact_path": "model"}
    told = {"input_example": numpy.zeros((1, 2)), "pip_requirements": ["scikit-learn"]}
    logged = mlflow.sklearn.log_model(model, **named, **told, registered_model_name="first")
    said["loaded"] = int(mlflow.sklearn.load_model(logged.model_uri).predict(NEW)[0])
    said["loaded_by_run"] = int(mlflow.pyfunc.load_model(f"runs:/{run_id}/model").predict(NEW)[0])
    said["loaded_by_name"] = int(mlflow.pyfunc.load_model("models:/first/1").predict(NEW)[0])
    again = mlflow.register_model(logged.model_uri, "second", tags={"from": "script"})
    said["registered"] = [again.name, int(again.version), again.run_id == run_id]
    client.set_registered_model_alias("second", "champion", again.version)
    said["by_alias"] = int(mlflow.pyfunc.load_model("models:/second@champion").predict(NEW)[0])
    if mlflow.__version__ >= "3":
        mlflow.log_metric("score", 0.5, model_id=logged.model_id)
        mlflow.set_logged_model_tags(logged.model_id, {"tier": "gold"})
        found = mlflow.search_logged_models(output_format="list")
        said["models"] = [[one.name, one.source_run_id == run_id, str(one.status), one.tags.get("tier")] for one in found]
        said["metric_of_model"] = [metric.key for metric in mlflow.get_logged_model(logged.model_id).metrics]


def log_async(run_id):
    """First call by call, then by the setting that makes every call so."""
    future = mlflow.log_metrics({"later": 1.0}, step=1, synchronous=False)
    mlflow.log_param("param_later", "1", synchronous=False).wait()
    mlflow.set_tag("tag_later", "1", synchronous=False)
    future.wait()
    mlflow.config.enable_async_logging()
    for step in range(500):
        mlflow.log_metric("stream", step, step=step)
    mlflow.log_params({"p%d" % number: number for number in range(5)})
    mlflow.flush_async_logging()
    said["stream"] = len(client.get_metric_history(run_id, "stream"))
    for step in range(20):
        mlflow.log_image(Image.new("RGB", (4, 4), "blue"), key="late", step=step)
    for step in range(500, 1000):
        mlflow.log_metric("stream", step, step=step)


mlflow.log_metric("begun", 1)
run_id = mlflow.active_run().info.run_id
log_files()
read_files(run_id)
log_dataset()
log_models(run_id)
said["searched"] = [
    run.info.run_id for run in mlflow.search_runs(filter_string="metrics.begun = 1", output_format="list")
]
said["inputs"] = sorted(one.dataset.name for one in mlflow.get_run(run_id).inputs.dataset_inputs)
# What is still on its way at the end is MLflow's to bring home.
log_async(run_id)
keeper.tell()
