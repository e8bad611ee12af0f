"""`track run --autolog`: MLflow's autologging for a program that never asked for it.

It is turned on when the program has imported the first library that MLflow can log, in rank 0 and in no worker process. A
program that sets up autologging itself has the last word, since it does so later.
"""
import os
import sys

LIBRARIES = (
    "sklearn",
    "torch",
    "lightning",
    "pytorch_lightning",
    "transformers",
    "tensorflow",
    "keras",
    "xgboost",
    "lightgbm",
    "statsmodels",
    "paddle",
    "pyspark",
    "setfit",
)
RANKS = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")


def watch(actions):
    """Adds to `actions` what is to be done instead of executing a module."""
    if any(os.environ.get(name) not in (None, "", "0") for name in RANKS) or is_helper(command_line()):
        return
    switch = Switch()
    for name in ("mlflow",) + LIBRARIES:
        actions[name] = switch.execute


class Switch:
    def __init__(self):
        self.depth = 0
        self.is_on = False

    def execute(self, execute, module):
        """A library that imports another one is half done when that one is there; MLflow cannot use it yet."""
        self.depth += 1
        try:
            execute(module)
        finally:
            self.depth -= 1
        if self.depth == 0 and not self.is_on:
            self.is_on = True
            try:
                turn_on()
            except Exception as error:
                say("--autolog: MLflow cannot be used here: %s" % (str(error).split("\n")[0] or type(error).__name__))


def turn_on():
    workers = sys.modules.get("multiprocessing.process")
    if workers is not None and workers.parent_process() is not None:
        return
    is_ours = "mlflow" not in sys.modules
    if is_ours:
        import importlib.util

        if importlib.util.find_spec("mlflow") is None:
            say("--autolog: MLflow is not installed in %s" % sys.prefix)
            return
    import mlflow

    if is_ours:
        be_quiet()
        os.register_at_fork(after_in_child=turn_off_in_worker)
    mlflow.autolog(log_traces=False)


def turn_off_in_worker():
    """A forked worker inherits what is on; a daemon's fork goes on with the program."""
    frame = sys._getframe(1)
    while frame is not None:
        if (frame.f_globals.get("__name__") or "").startswith("multiprocessing."):
            sys.modules["mlflow.utils.autologging_utils"]._AUTOLOGGING_GLOBALLY_DISABLED = True
            return
        frame = frame.f_back


def be_quiet():
    """Who has not asked for MLflow need not read what it is doing, only what goes wrong."""
    import logging

    for name in ("mlflow.tracking.fluent", "mlflow.utils.autologging_utils"):
        logging.getLogger(name).setLevel(logging.WARNING)


def say(text):
    """Once for this process and those below it."""
    if os.environ.get("TRACK_AUTOLOG") != "told":
        os.environ["TRACK_AUTOLOG"] = "told"
        sys.stderr.write("track: %s\n" % text)


def command_line():
    if hasattr(sys, "orig_argv"):
        return sys.orig_argv
    try:
        with open("/proc/self/cmdline") as file:
            return file.read().split("\0")
    except (OSError, ValueError):
        return []


def is_helper(words):
    """Workers of multiprocessing and joblib, and the process in which MLflow looks what a model imports."""
    return any(
        word == "--multiprocessing-fork"
        or word.startswith("from multiprocessing.")
        or "loky.backend" in word
        or word.endswith("_capture_modules.py")
        for word in words
    )
