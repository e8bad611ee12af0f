"""What the client looks for around a request: nothing where there is no Databricks, all of it where there is some."""
import sys
import types

import keeper
import mlflow
from mlflow.tracking.request_header.registry import resolve_request_headers


class Watcher:
    """Sees each import that has to be looked for."""

    seen = []

    def find_spec(self, name, path=None, target=None):
        self.seen.append(name)
        return None


class Session:
    """An active session of a Spark on Databricks."""

    class conf:
        get = {"spark.databricks.clusterUsageTags.clusterId": "c1", "spark.mlflow.modelRegistryUri": "databricks-uc"}.get

    getActiveSession = classmethod(lambda cls: cls)


def imitate(name, **members):
    module = sys.modules[name] = types.ModuleType(name)
    vars(module).update(members)


mlflow.log_metric("first", 1)
sys.meta_path.insert(0, Watcher())
mlflow.log_metric("again", 2)
keeper.SAID["looked_for"] = sorted(set(Watcher.seen))
keeper.SAID["headers"] = sorted(resolve_request_headers())
keeper.SAID["registry"] = mlflow.get_registry_uri() == mlflow.get_tracking_uri()

shell = types.SimpleNamespace(ns_table={"user_global": {"dbutils": None}})
imitate("IPython", get_ipython=lambda: shell)
notebook = types.SimpleNamespace(aclPathOfAclRoot=lambda: types.SimpleNamespace(get=lambda: "/workspace/7"))
context = types.SimpleNamespace(notebook=lambda: types.SimpleNamespace(getContext=lambda: notebook))
entry = types.SimpleNamespace(getDbutils=lambda: context)
shell.ns_table["user_global"]["dbutils"] = types.SimpleNamespace(notebook=types.SimpleNamespace(entry_point=entry))
keeper.SAID["in_notebook"] = resolve_request_headers().get("notebook_id")
del sys.modules["IPython"]

imitate("pyspark", __path__=[])
imitate("pyspark.sql", SparkSession=Session, __path__=[])
imitate("pyspark.sql.utils", AnalysisException=ValueError)
keeper.SAID["in_cluster"] = resolve_request_headers().get("cluster_id")
keeper.SAID["registry_of_spark"] = mlflow.get_registry_uri()
for name in ("pyspark", "pyspark.sql", "pyspark.sql.utils"):
    del sys.modules[name]

keeper.tell()
