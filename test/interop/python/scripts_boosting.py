"""A LightGBM training that never mentions MLflow."""
import lightgbm
import numpy

features, classes = numpy.arange(400.0).reshape(200, 2), numpy.tile([0, 1], 100)
data = lightgbm.Dataset(features, label=classes)
told = {"objective": "binary", "num_leaves": 3, "verbose": -1, "num_threads": 1}
lightgbm.train(told, data, num_boost_round=5, valid_sets=[data], valid_names=["train"])
print("said {}")
