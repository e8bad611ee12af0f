"""Scripts that name a tracking store themselves.

The one that `track run` records in is reached through the loopback endpoint all the same: no client opens its database, or asks its
server with the endpoint's token. That token is for no other server either.
"""
import functools
import os
import sys

CREDENTIALS = tuple("MLFLOW_TRACKING_" + name for name in ("USERNAME", "PASSWORD", "TOKEN"))
URI = "MLFLOW_TRACKING_URI"


def store_name(uri):
    """The same for every way to write one store."""
    if uri.startswith("sqlite:///"):
        return "sqlite:///" + os.path.realpath(uri[len("sqlite:///") :])
    scheme, separator, rest = uri.partition("://")
    host, slash, path = rest.partition("/")
    return (scheme + separator + host.rpartition("@")[2] + slash + path).rstrip("/")


def loopback(uri):
    """The endpoint's URI; `None` where the clients have the real one, as with `--direct` or on another host."""
    real = os.environ.get("TRACK_TRACKING_URI")
    is_endpoint = bool(uri and real) and uri.startswith("http://127.0.0.1:") and uri != real and CREDENTIALS[2] in os.environ
    return uri if is_endpoint else None


def guide(endpoint):
    """Called while `mlflow` is being imported; who has the functions by then depends on its version."""
    if endpoint is None:
        return
    utils = sys.modules["mlflow.tracking._tracking_service.utils"]
    guided = Guide(endpoint)
    utils._resolve_tracking_uri = guided.resolving(utils._resolve_tracking_uri)
    plain, setting = utils.set_tracking_uri, guided.setting(utils.set_tracking_uri)
    for name in ("mlflow", "mlflow.config", "mlflow.tracking", utils.__name__):
        module = sys.modules.get(name)
        if getattr(module, "set_tracking_uri", None) is plain:
            module.set_tracking_uri = setting
    # What the script has written there before it imported MLflow.
    if URI in os.environ:
        os.environ[URI] = guided.choose(os.environ[URI])


def complete_folder(uri):
    """
    MLflow's file store makes its first experiment only where there is no folder yet, and ours may be there: the artifacts of the
    command's run, below `mlruns`.
    """
    scheme, separator, _ = str(uri).partition(":")
    if separator and scheme != "file":
        return
    from mlflow.utils.file_utils import local_file_uri_to_path

    root = local_file_uri_to_path(str(uri))
    names = os.listdir(root) if os.path.isdir(root) else []
    if names and all(name.isdigit() and not os.path.exists(os.path.join(root, name, "meta.yaml")) for name in names):
        from mlflow.store.tracking.file_store import FileStore

        FileStore(root)._create_experiment_with_id("Default", "0", None, None)


class Guide:
    def __init__(self, endpoint):
        self.endpoint = endpoint
        self.real = store_name(os.environ["TRACK_TRACKING_URI"])
        self.credentials = {name: os.environ[name] for name in CREDENTIALS if name in os.environ}

    def replace(self, uri):
        return self.endpoint if isinstance(uri, str) and store_name(uri) == self.real else uri

    def choose(self, uri):
        """For all calls from now on."""
        uri = self.replace(uri)
        try:
            complete_folder(uri)
        except Exception:
            pass
        if isinstance(uri, str) and uri.startswith("http") and store_name(uri) != store_name(self.endpoint):
            for name, value in self.credentials.items():
                if os.environ.get(name) == value:
                    del os.environ[name]
        else:
            for name, value in self.credentials.items():
                os.environ.setdefault(name, value)
        return uri

    def resolving(self, plain):
        @functools.wraps(plain)
        def _resolve_tracking_uri(tracking_uri=None):
            return self.replace(plain(tracking_uri))

        return _resolve_tracking_uri

    def setting(self, plain):
        @functools.wraps(plain)
        def set_tracking_uri(uri):
            return plain(self.choose(uri))

        return set_tracking_uri
