"""One run for one command: what MLflow's fluent functions do with the run of `track run`, whose id is TRACK_RUN_ID.

Plain MLflow takes MLFLOW_RUN_ID once and forgets it, so that everything after an autologged fit lands in a stray run. Here

- a start that MLflow makes by itself, and the script's first `start_run()`, give the command's run;
- every other `start_run()`, and every further autologged fit, gives a child run of it, since params are written once;
- `active_run()` in the script after an autologged fit gives the command's run, which is open again once it is entered.

Who calls decides: MLflow's autologging calls the same functions as the script. When in doubt, or when something fails in here,
plain MLflow's own function runs.
"""
import contextlib
import functools
import inspect
import json
import os
import sys
import threading

AUTOLOGGING = "mlflow.utils.autologging_utils.safety"
PARENT_RUN_ID = "mlflow.parentRunId"
# Tells the loopback endpoint, which takes it away, that the script wants a child; every run has the parent from MLFLOW_RUN_CONTEXT.
NESTED = "track.nested"
RUN_ID = "MLFLOW_RUN_ID"
EXPERIMENT_ID = "MLFLOW_EXPERIMENT_ID"
# Tells the Python processes below this one that the command's run has had its autologged fit.
FITTED = "TRACK_RUN_FITTED"


def keep(fluent, tracking_uri, load):
    """Called once `mlflow.tracking.fluent` has been executed, before anybody can import a name from it; `load` reads the other files."""
    run_id = os.environ.get("TRACK_RUN_ID")
    if not run_id or hasattr(fluent.start_run, "track_plain"):
        return
    if is_elsewhere():
        tracking_uri = use_real_store()
    uris = load("tracking_uri")
    endpoint = uris["loopback"](tracking_uri)
    RunKeeper(fluent, run_id, tracking_uri, endpoint, uris["store_name"]).install()
    with contextlib.suppress(Exception):
        uris["guide"](endpoint)
    with contextlib.suppress(Exception):
        print_no_links()


def print_no_links():
    """Clients before 3.0 have no variable that keeps the links of an ended run off the program's standard output."""
    from mlflow import environment_variables
    from mlflow.tracking._tracking_service.client import TrackingServiceClient

    name = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
    if os.environ.get(name, "").lower() in ("true", "1") and not hasattr(environment_variables, name):
        TrackingServiceClient._log_url = lambda self, run_id: None


def is_elsewhere():
    """Whether the loopback endpoint is that of another host or of another network namespace."""
    given = os.environ.get("TRACK_NETWORK")
    return bool(given) and "127.0.0.1" in os.environ.get("MLFLOW_TRACKING_URI", "") and given != network()


def network():
    """As `track` writes TRACK_NETWORK: the boot id of the host, and the network namespace."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip() + " " + os.readlink("/proc/self/ns/net")
    except OSError:
        return ""


def use_real_store():
    """The loopback credentials would be refused there; without them MLflow reads ~/.mlflow/credentials."""
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        os.environ.pop("MLFLOW_TRACKING_" + name, None)
    os.environ["MLFLOW_TRACKING_URI"] = os.environ["TRACK_TRACKING_URI"]
    return os.environ["TRACK_TRACKING_URI"]


class RunIdVariable:
    """MLFLOW_RUN_ID as fluent sees it: the command's run is never taken from there, but by its id."""

    def __init__(self, plain, home):
        self.plain = plain
        self.home = home

    def get(self):
        value = self.plain.get()
        return None if value == self.home else value

    def unset(self):
        if self.plain.get() != self.home:
            self.plain.unset()

    def __getattr__(self, name):
        return getattr(self.plain, name)


class RunKeeper:
    def __init__(self, fluent, home, tracking_uri, endpoint, store_name):
        self.fluent = fluent
        self.home = home
        self.endpoint = endpoint
        self.store_name = store_name
        self.uris = {store_name(uri) for uri in (tracking_uri, os.environ.get("TRACK_TRACKING_URI")) if uri}
        self.experiment_id = os.environ.get(EXPERIMENT_ID)
        self.has_left = False
        self.variable = RunIdVariable(fluent.MLFLOW_RUN_ID, home)
        # Whether anybody has started the command's run; a Python process above this one has taken the variable away then.
        self.is_started = os.environ.get(RUN_ID) != home
        # Modules of MLflow that have had their managed start in the command's run: one autologged fit, one evaluation.
        self.has_managed = {AUTOLOGGING} if os.environ.get(FITTED) == home else set()
        self.thread = threading.local()
        self.renew_lock()

    def renew_lock(self):
        self.lock = threading.RLock()

    def install(self):
        fluent = self.fluent
        self.signature = inspect.signature(fluent.start_run)
        self.plain_start, self.plain_end = fluent.start_run, fluent.end_run
        fluent.MLFLOW_RUN_ID = self.variable
        for name in ("start_run", "end_run", "active_run", "_get_or_start_run"):
            setattr(fluent, name, replaced(getattr(fluent, name), getattr(self, name)))
        # A thread that held it when another one forked is not there to let it go.
        os.register_at_fork(after_in_child=self.renew_lock)
        active = fluent.ActiveRun
        active.__enter__ = entering(active.__enter__, self)
        active.__exit__ = exiting(active.__exit__)

    # What takes the place of fluent's functions; `caller` is the frame that called.

    def start_run(self, caller, *args, **kwargs):
        is_script = not is_mlflow(caller)
        try:
            given = dict(self.signature.bind(*args, **kwargs).arguments)
            wanted = self.arguments(given, caller)
        except Exception:
            return self.plain_start(*args, **kwargs)
        if wanted.get("run_id") == self.home:
            return self.open(wanted, given, is_script)
        return self.plain_start(**wanted)

    def _get_or_start_run(self, caller):
        stack = self.stack()
        if stack:
            return stack[-1]
        try:
            is_home = not self.variable.get() and not self.is_foreign()
        except Exception:
            is_home = False
        return self.open({"run_id": self.home}, {}, False) if is_home else self.plain_start()

    def active_run(self, caller):
        stack = self.stack()
        top = stack[-1] if stack else None
        try:
            if is_fit(caller):
                return self.run_for_fit(top, caller)
            if top is None and not is_mlflow(caller):
                return self.fitted_run()
        except Exception:
            pass
        return top

    def end_run(self, caller, *args, **kwargs):
        stack = self.stack()
        top = stack[-1] if stack else None
        if top is None:
            return self.end_fitted_run(caller, *args, **kwargs)
        if module_of(caller) != AUTOLOGGING:
            return self.plain_end(*args, **kwargs)
        # A script may catch what its fit raises: how the command ends says whether it failed.
        if top.info.run_id == self.home:
            args, kwargs = ("FINISHED",), {}
            self.thread.run = top
        self.thread.is_fitted = True
        return self.plain_end(*args, **kwargs)

    # Decisions

    def arguments(self, given, caller):
        """Those of the plain start_run that do what the script can expect."""
        if given.get("run_id") or self.variable.get() or self.is_foreign():
            return given
        stack = self.stack()
        if given.get("nested") or given.get("parent_run_id"):
            return self.child(given, stack)
        if stack:
            # Autologging only comes here where `run_for_fit` has said that there is no run for it.
            return dict(given, nested=True) if module_of(caller) == AUTOLOGGING else given
        if self.takes_home(caller):
            return dict(given, run_id=self.home)
        return self.child(given, stack)

    def takes_home(self, caller):
        with self.lock:
            module = module_of(caller)
            if is_mlflow(caller):
                takes = module not in self.has_managed
                self.note_managed(module)
            else:
                takes = not self.is_started
            self.is_started = True
            return takes

    def note_managed(self, module):
        self.has_managed.add(module)
        if module == AUTOLOGGING:
            os.environ[FITTED] = self.home

    def child(self, given, stack):
        tags = dict(given.get("tags") or {})
        # Below an open run MLflow names the parent itself.
        if not stack and not given.get("parent_run_id"):
            tags.setdefault(PARENT_RUN_ID, self.home)
        if self.endpoint is not None and tracking_uri_of_client() == self.endpoint:
            tags[NESTED] = "true"
        return dict(given, tags=tags)

    def run_for_fit(self, top, caller):
        """What the question of autologging whether a run is open is answered with."""
        if top is None or top.info.run_id != self.home or is_inside_fit(caller):
            return top
        with self.lock:
            if AUTOLOGGING in self.has_managed and not getattr(top, "track_is_scripts", True):
                return None
            self.note_managed(AUTOLOGGING)
        return top

    def is_foreign(self):
        """Whether the script has chosen another tracking store: what it starts there is its own."""
        uri = tracking_uri_of_client()
        is_foreign = self.store_name(uri) not in self.uris
        self.keep_experiment(is_foreign)
        if is_foreign:
            leave_family(uri)
        return is_foreign

    def keep_experiment(self, is_foreign):
        """MLFLOW_EXPERIMENT_ID of the command's run names nothing in another store, where MLflow would stop at it."""
        if is_foreign and os.environ.get(EXPERIMENT_ID) == self.experiment_id:
            self.has_left = os.environ.pop(EXPERIMENT_ID, None) is not None
        elif self.has_left and not is_foreign:
            self.has_left = False
            os.environ.setdefault(EXPERIMENT_ID, self.experiment_id)

    # The command's run

    def stack(self):
        return self.fluent._active_run_stack.get()

    def open(self, wanted, given, is_script):
        self.is_started = True
        os.environ.pop(RUN_ID, None)
        self.choose_experiment(wanted.get("experiment_id"))
        try:
            with self.no_experiment():
                run = self.plain_start(**wanted)
        except self.fluent.MlflowException as error:
            # It is not in this store: better a run of its own than a program that stops.
            if getattr(error, "error_code", None) != "RESOURCE_DOES_NOT_EXIST":
                raise
            return self.plain_start(**given)
        run.track_is_scripts = is_script
        return run

    def choose_experiment(self, experiment_id):
        """Going on with a run MLflow ignores it; the endpoint takes a look at an experiment for the wish to be there."""
        if experiment_id is not None and str(experiment_id) != self.experiment_id:
            with contextlib.suppress(Exception):
                self.fluent.MlflowClient().get_experiment(str(experiment_id))

    @contextlib.contextmanager
    def no_experiment(self):
        """After `set_experiment` MLflow refuses to go on with a run of another one."""
        chosen = self.fluent._active_experiment_id
        if chosen is None or chosen == self.experiment_id:
            yield
            return
        with self.lock:
            self.fluent._active_experiment_id = None
            try:
                yield
            finally:
                self.fluent._active_experiment_id = chosen

    def fitted_run(self):
        if not getattr(self.thread, "is_fitted", False):
            return None
        run = getattr(self.thread, "run", None)
        if run is None:
            run = self.thread.run = self.fluent.ActiveRun(self.fluent.get_run(self.home))
        run.track_is_ended = True
        return run

    def end_fitted_run(self, caller, *args, **kwargs):
        """The script ends a run that it has never seen end: what it says counts, a second end in plain MLflow would not."""
        if getattr(self.thread, "is_fitted", False) and not is_mlflow(caller):
            self.thread.is_fitted = False
            status = (args or tuple(kwargs.values()) or ("FINISHED",))[0]
            with contextlib.suppress(Exception):
                self.fluent.MlflowClient().set_terminated(self.home, status)
        return self.plain_end(*args, **kwargs)


def replaced(plain, replacement):
    @functools.wraps(plain)
    def function(*args, **kwargs):
        return replacement(sys._getframe(1), *args, **kwargs)

    function.track_plain = plain
    return function


def entering(plain, keeper):
    @functools.wraps(plain)
    def __enter__(run):
        if getattr(run, "track_is_ended", False) and not keeper.stack():
            return keeper.open({"run_id": keeper.home}, {}, False)
        return plain(run)

    return __enter__


def exiting(plain):
    @functools.wraps(plain)
    def __exit__(run, kind, value, traceback):
        # sys.exit(0) is how a program says that all went well.
        if kind is not None and issubclass(kind, SystemExit) and getattr(value, "code", value) in (None, 0):
            plain(run, None, None, None)
            return False
        return plain(run, kind, value, traceback)

    return __exit__


def module_of(frame):
    return frame.f_globals.get("__name__") or ""


def is_mlflow(frame):
    return module_of(frame).partition(".")[0] == "mlflow"


def is_fit(frame):
    return frame.f_code.co_name == "patch_with_managed_run" and module_of(frame) == AUTOLOGGING


def is_inside_fit(frame):
    """A fit may call other autologged fits; they are all one."""
    frame = frame.f_back
    while frame is not None:
        if is_fit(frame):
            return True
        frame = frame.f_back
    return False


def tracking_uri_of_client():
    from mlflow.tracking._tracking_service.utils import get_tracking_uri

    return str(get_tracking_uri())


def leave_family(uri):
    """The command's run is no parent in another store. Says so once, this process and those below it together."""
    try:
        context = json.loads(os.environ.get("MLFLOW_RUN_CONTEXT") or "{}")
        if context.pop(PARENT_RUN_ID, None) is None:
            return
        os.environ["MLFLOW_RUN_CONTEXT"] = json.dumps(context)
        scheme, _, rest = uri.partition("://")
        shown = scheme + "://" + rest.rpartition("@")[2] if rest else uri
        advice = "leave out set_tracking_uri"
        if scheme in ("sqlite", "http", "https"):
            advice += ", and start it with track run --tracking-uri " + shown
        sys.stderr.write(
            "track: the program chose %s for its runs, this run gets none of it\nhint: %s\n" % (shown, advice)
        )
    except Exception:
        pass
