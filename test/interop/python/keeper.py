"""What the scripts about the run keeper share: a small fit, and one line of JSON about what they saw."""
import json
import os
import sys
import warnings

warnings.filterwarnings("ignore")

import mlflow  # noqa: E402

HOME = os.environ.get("TRACK_RUN_ID")
SAID = {"home": HOME}


def active():
    run = mlflow.active_run()
    return run and run.info.run_id


def fit(**params):
    import numpy
    from sklearn.linear_model import LogisticRegression

    features = numpy.arange(40.0).reshape(20, 2)
    classes = numpy.repeat([0, 1], 10)
    model = LogisticRegression(**params).fit(features, classes)
    return model, model.score(features, classes)


def failing_fit():
    from sklearn.linear_model import LogisticRegression

    try:
        LogisticRegression(C=7.0).fit([[1.0], [2.0]], [1])
    except ValueError as error:
        return str(error)[:40]
    return None


def evaluate():
    import pandas

    data = pandas.DataFrame({"truth": [1.0, 2.0, 3.0], "guess": [1.0, 2.5, 3.0]})
    mlflow.models.evaluate(data=data, targets="truth", predictions="guess", model_type="regressor")
    return mlflow.last_active_run().info.run_id


def start(**options):
    with mlflow.start_run(**options) as run:
        mlflow.log_metric("inside", 1)
        return run.info.run_id


def autolog():
    mlflow.sklearn.autolog(log_models=False)


def tell():
    sys.stdout.flush()
    print("said " + json.dumps(SAID), flush=True)
