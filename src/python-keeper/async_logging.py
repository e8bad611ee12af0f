"""What MLflow logs in the background (`synchronous=False`, images of a step) and is on its way when a script ends with its run open.

MLflow brings it home in an atexit function; but by then, from Python 3.9 on, no thread pool takes anything any more, and it is lost.
"""
import atexit
import os
import threading


def bring_home(module, tracking_uri, load):
    """Called once a module with such a queue has been executed; it registers each queue that is used."""
    module.atexit = Early()


class Early(object):
    """The module `atexit`, but that what is registered also runs before threads end, where its process is still the same."""

    def __getattr__(self, name):
        return getattr(atexit, name)

    def register(self, function, *args, **kwargs):
        pid = os.getpid()

        def run_early():
            # A lock that a thread of the parent held at the fork is held for ever.
            if os.getpid() == pid:
                function(*args, **kwargs)

        try:
            threading._register_atexit(run_early)
        except Exception:
            pass
        return atexit.register(function, *args, **kwargs)
