"""The story of `fill-story.ts`, told to plain MLflow's client."""
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput, Metric, Param, RunTag


def make_story(uri):
    client = MlflowClient(uri)
    experiment_id = client.create_experiment("story/ñ", tags={"owner": "böb"})
    client.set_experiment_tag(experiment_id, "owner", "ada")
    client.rename_experiment(client.create_experiment("second"), "renamed")
    client.delete_experiment(client.create_experiment("third"))

    run_id = client.create_run(experiment_id, 1000, {"mlflow.user": "ada", "team": "v1"}, "the run").info.run_id
    client.log_batch(
        run_id,
        [Metric("loss", 0.5, 1, 0), Metric("loss", 3.0, 2, 2**62), Metric("nan", float("nan"), 1, -5)],
        [Param("lr", "0.1"), Param("empty", "")],
        [RunTag("team", "v2"), RunTag("note", "a\nb")],
    )
    train = Dataset("train", "abc", "code", "{}", schema="{}", profile="{}")
    test = Dataset("test", "def", "local", "{}")
    client.log_inputs(run_id, [DatasetInput(train, [InputTag("mlflow.data.context", "train")]), DatasetInput(test, [])])
    client.log_inputs(run_id, [DatasetInput(test, [])])
    client.update_run(run_id, name="renamed run")

    model_id = client.create_logged_model(
        experiment_id, "net", run_id, {"stage": "a"}, {"depth": "3"}, "torch"
    ).model_id
    client.log_outputs(run_id, [LoggedModelOutput(model_id, step=4)])
    client.log_inputs(run_id, models=[LoggedModelInput(model_id)])
    client.log_batch(run_id, [Metric("score", 0.75, 5, 4, model_id=model_id, dataset_name="train", dataset_digest="abc")])
    client.set_logged_model_tags(model_id, {"stage": "b"})
    client.finalize_logged_model(model_id, "READY")
    client.set_terminated(run_id, "FAILED", 2000)

    deleted = client.create_run(experiment_id, 3000, {"mlflow.user": "ada"}, "deleted").info.run_id
    client.delete_run(deleted)
    restored = client.create_run(experiment_id, 4000, {"mlflow.user": "ada", "gone": "x"}, "restored").info.run_id
    client.delete_tag(restored, "gone")
    client.delete_run(restored)
    client.restore_run(restored)
