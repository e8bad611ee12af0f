"""The lines of library.test.ts in Python: what they leave in the store is held against what the library leaves."""
import mlflow

mlflow.set_experiment("digits")
with mlflow.start_run(run_name="search", tags={"team": "vision", "n": 1}, description="all of *it*"):
    for lr in [0.1, 0.01]:
        with mlflow.start_run(run_name=f"lr-{lr}", nested=True):
            mlflow.log_param("lr", lr)
            mlflow.log_metric("val_loss", 1 / lr, step=1)
    mlflow.log_metrics({"nan": float("nan"), "inf": float("inf"), "whole": 3}, step=-2, timestamp=1790000000000)
    mlflow.log_params({"a": "text", "b": 7})
    mlflow.set_tags({"gone": "1", "kept": "2"})
    mlflow.delete_tag("gone")
    mlflow.log_text("grüße", "notes/a.txt")
    mlflow.log_dict({"a": [1, "é"], "b": {"c": None}}, "config.json")
    mlflow.log_table({"q": ["a", "b"], "r": [1, 2]}, "t.json")
    mlflow.set_experiment_tags({"owner": "ada"})
try:
    with mlflow.start_run(run_name="bad"):
        raise ValueError("so it is")
except ValueError:
    pass
mlflow.log_metric("implicit", 1)
mlflow.set_tag("mlflow.runName", "implicit")
run_id = mlflow.active_run().info.run_id
mlflow.end_run("KILLED")
with mlflow.start_run(run_id=run_id, run_name="again", tags={"late": True}):
    mlflow.log_metric("implicit", 2, step=1)
