"""A program that has never heard of MLflow. Its workers fit as well."""
import json
import multiprocessing
import sys
import warnings

import numpy
from sklearn.linear_model import LogisticRegression

warnings.filterwarnings("ignore")


def fit(strength):
    features = numpy.arange(40.0).reshape(20, 2)
    classes = numpy.repeat([0, 1], 10)
    return LogisticRegression(C=strength).fit(features, classes).score(features, classes)


def work(strength):
    fit(strength)
    return "mlflow" in sys.modules


if __name__ == "__main__":
    said = {}
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            said[method] = pool.apply(work, (7.0,))
    said["score"] = fit(0.5)
    print("said " + json.dumps(said))
