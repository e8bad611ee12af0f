"""The same three sequences with TensorFlow's Keras."""
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keeper
import keras
import mlflow
import numpy


def fit(epochs):
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    model.fit(numpy.zeros((8, 2)), numpy.zeros(8), epochs=epochs, verbose=0)


def autolog():
    mlflow.autolog(log_models=False)


way = sys.argv[1]
if way == "a":
    with mlflow.start_run() as run:
        autolog()
        fit(2)
        mlflow.log_metric("test_score", 1)
        keeper.SAID["inside"] = run.info.run_id
else:
    if way == "c":
        mlflow.log_param("dataset", "tiny")
    autolog()
    fit(2)
    with mlflow.active_run() as run:
        mlflow.log_metric("test_score", 1)
        keeper.SAID["inside"] = run.info.run_id
    if way == "b":
        fit(3)
        mlflow.log_metric("after_all", 3)
keeper.tell()
