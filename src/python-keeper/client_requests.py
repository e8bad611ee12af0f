"""What MLflow's client does around each request, where the loopback endpoint is asked.

It looks whether it runs on Databricks, by imports that fail anew each time: a third of a log call. Elsewhere the answer is known
without them: what has not been imported has no Spark session and no context, and without IPython's shell there is no notebook.

And `requests` looks into ~/.netrc, where an entry for any host would take the place of the endpoint's token.
"""
import contextlib
import functools
import importlib.util
import os
import sys


def lighten(module, tracking_uri, load):
    """Called once the module that knows Databricks has been executed, which is in the middle of the first request."""
    endpoint = (tracking_uri or "").rstrip("/")
    if not endpoint.startswith("http://127.0.0.1:"):
        return
    with contextlib.suppress(Exception):
        look_less(module.DatabricksRequestHeaderProvider, sys.modules["mlflow.tracking._model_registry.utils"])
    with contextlib.suppress(Exception):
        keep_token(sys.modules["mlflow.utils.rest_utils"], endpoint)


def look_less(provider, registry):
    """On Databricks itself all stays as it is."""
    if os.environ.get("DATABRICKS_RUNTIME_VERSION") or importlib.util.find_spec("dbruntime") is not None:
        return
    provider.in_context = only_if(has_context, provider.in_context, False)
    registry._get_active_spark_session = only_if(has_spark, registry._get_active_spark_session, None)


def only_if(condition, plain, otherwise):
    @functools.wraps(plain)
    def function(*args, **kwargs):
        return plain(*args, **kwargs) if condition() else otherwise

    return function


def has_spark():
    return "pyspark" in sys.modules


def has_context():
    if has_spark() or "dbruntime" in sys.modules:
        return True
    shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return shell is not None and shell() is not None


def keep_token(rest_utils, endpoint):
    plain = rest_utils._get_http_response_with_retries

    @functools.wraps(plain)
    def _get_http_response_with_retries(method, url, *args, **kwargs):
        if url.startswith(endpoint + "/"):
            kwargs.setdefault("auth", as_it_is)
        return plain(method, url, *args, **kwargs)

    rest_utils._get_http_response_with_retries = _get_http_response_with_retries


def as_it_is(request):
    """An authentication that leaves the Authorization header of MLflow; without any, `requests` would look for one."""
    return request
