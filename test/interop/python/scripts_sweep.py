"""An optuna study as its users write it: a run per trial, by hand, in threads, and by optuna's own callback."""
import keeper
import mlflow
import optuna
from optuna_integration import MLflowCallback

optuna.logging.set_verbosity(optuna.logging.ERROR)
said = keeper.SAID


def objective(trial):
    with mlflow.start_run(nested=True, run_name="%s %d" % (trial.study.study_name, trial.number)):
        x = trial.suggest_float("x", -1, 1)
        mlflow.log_param("x", x)
        mlflow.log_metric("y", x * x)
        if trial.number == 1:
            raise optuna.TrialPruned()
    return x * x


def study(name):
    return optuna.create_study(study_name=name, sampler=optuna.samplers.RandomSampler(seed=1))


# No run is open: each trial is a child all the same.
bare = study("bare")
bare.optimize(objective, n_trials=3)

with mlflow.start_run() as run:
    said["started"] = run.info.run_id
    inside = study("inside")
    inside.optimize(objective, n_trials=3)
    threads = study("threads")
    threads.optimize(objective, n_trials=4, n_jobs=2)
    mlflow.log_params({"best_" + key: value for key, value in inside.best_params.items()})
    mlflow.log_metric("best", inside.best_value)

called = study("callback")
callback = MLflowCallback(metric_name="value", create_experiment=False, mlflow_kwargs={"nested": True})


@callback.track_in_mlflow()
def tracked(trial):
    mlflow.log_metric("seen", trial.number)
    return trial.suggest_float("x", -1, 1)


called.optimize(tracked, n_trials=2, callbacks=[callback])
keeper.tell()
