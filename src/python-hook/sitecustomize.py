"""What every Python process under `track run` loads at its start, because this folder is the first on PYTHONPATH.

It hands over to the sitecustomize that Python would have loaded, and leaves a watcher behind that does nothing until MLflow is
imported. Nothing is imported here that Python has not got by then, nothing is printed, and what goes wrong in here stays in
here. Any Python from 2.7 on reads this file; what needs MLflow lies in ../python-keeper, so that this stays a quick read.
"""
import os
import sys


class Watcher(object):
    """Stands first on sys.meta_path for good: it finds nothing itself, but sees when a module that it waits for is executed."""

    def __init__(self):
        self.actions = {}

    def find_spec(self, name, path=None, target=None):
        action = self.actions.get(name)
        if action is None:
            return None
        spec = None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is not self and find is not None:
                spec = find(name, path, target)
                if spec is not None:
                    break
        try:
            # On the loader itself, whose class stays what it was.
            spec.loader.exec_module = executing(spec.loader.exec_module, action)
        except Exception:
            pass
        return spec


def executing(execute, action):
    def exec_module(module):
        return action(execute, module)

    return exec_module


def load(name):
    path = os.path.join(os.path.dirname(HERE), "python-keeper", name + ".py")
    scope = {"__name__": "track_" + name, "__file__": path}
    with open(path, "rb") as source:
        code = compile(source.read(), path, "exec")
    exec(code, scope)
    return scope


def calling(name, function):
    """What a file of ../python-keeper does with a module of MLflow that has just been executed."""

    def action(execute, module):
        execute(module)
        try:
            load(name)[function](module, TRACKING_URI, load)
        except Exception:
            pass

    return action


def watch():
    watcher = Watcher()
    if os.environ.get("TRACK_RUN_ID"):
        bring_home = calling("async_logging", "bring_home")
        watcher.actions.update(
            {
                "mlflow.tracking.fluent": calling("run_keeper", "keep"),
                "mlflow.tracking.request_header.databricks_request_header_provider": calling("client_requests", "lighten"),
                "mlflow.utils.async_logging.async_logging_queue": bring_home,
                "mlflow.utils.async_logging.async_artifacts_logging_queue": bring_home,
            }
        )
    if os.environ.get("TRACK_AUTOLOG"):
        load("autolog")["watch"](watcher.actions)
    if watcher.actions:
        sys.meta_path.insert(0, watcher)


def hand_over():
    """Imports the user's own sitecustomize. Its errors are Python's to report, as without us."""
    sys.path[:] = [entry for entry in sys.path if entry != HERE]
    del sys.modules[__name__]
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        if getattr(error, "name", __name__) != __name__:
            raise
        sys.modules[__name__] = OURS


HERE = os.path.dirname(os.path.abspath(__file__))
# Python 2 empties a module that nobody holds.
OURS = sys.modules[__name__]
TRACKING_URI = os.environ.get("MLFLOW_TRACKING_URI")
try:
    if sys.version_info >= (3, 8):
        watch()
except Exception:
    pass
hand_over()
