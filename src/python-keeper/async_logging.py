"""What MLflow logs in the background (`synchronous=False`, images of a step).

What is on its way when a script ends with its run open, MLflow brings home in an atexit function; but by then, from Python 3.9 on, no
thread pool takes anything any more, and it is lost. So is what a forked process logs, whose queue has no thread.
"""
import atexit
import os
import threading
import weakref


def bring_home(module, tracking_uri, load):
    """Called once a module with such a queue has been executed; it registers each queue that is used."""
    module.atexit = Early()


class Early(object):
    """The module `atexit`, but that what is registered also runs before threads end, where its process is still the same."""

    def __init__(self):
        self.queues = weakref.WeakSet()
        os.register_at_fork(after_in_child=self.renew)

    def __getattr__(self, name):
        return getattr(atexit, name)

    def register(self, function, *args, **kwargs):
        pid = os.getpid()

        def finish():
            # In a forked process there is nothing to finish, and a lock that a thread of the parent held is held for ever.
            if os.getpid() == pid:
                function(*args, **kwargs)

        try:
            self.queues.add(function.__self__)
            threading._register_atexit(finish)
        except Exception:
            pass
        atexit.register(finish)
        return function

    def renew(self):
        """As if they had been pickled: empty, and not started. The parent has what was in them."""
        try:
            for queue in list(self.queues):
                queue.__setstate__(queue.__getstate__())
        except Exception:
            pass
