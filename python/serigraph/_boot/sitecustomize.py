# The start-up step: runs in an interpreter that the `serigraph` program started, before anything of
# the user's. It leaves sys.path, sys.modules and the environment as they would be without it, lets
# the user's own sitecustomize run, and switches Serigraph on.
#
# It may find itself in any Python, however old.

import os
import sys

# Python 2 empties a module that nothing holds any more.
_this = sys.modules.pop("sitecustomize", None)


def _boot():
    """Undoes what brought us here; returns what is left to do, as a function."""
    here = os.path.dirname(os.path.abspath(__file__))
    value = os.environ.get("SERIGRAPH_BOOT", "")
    fields = dict(field.partition("=")[::2] for field in value.split("\x1f"))
    try:
        import _serigraph_interpreter as interpreter
    finally:
        sys.modules.pop("_serigraph_interpreter", None)
        sys.path[:] = [folder for folder in sys.path if folder != here]
        sys.path_importer_cache.pop(here, None)

    # With SERIGRAPH=1 the user wants child processes accelerated too: they come the same way.
    started = fields.get("pid") == str(os.getpid())
    supported = interpreter.is_supported()
    refused = started and not supported and "unsupported" not in fields
    if refused or os.environ.get("SERIGRAPH") != "1":
        os.environ.pop("SERIGRAPH_BOOT", None)
        if "pythonpath" in fields:
            os.environ["PYTHONPATH"] = fields["pythonpath"]
        else:
            os.environ.pop("PYTHONPATH", None)
    if refused:
        _start_again(fields)
    if not supported or "engine" not in fields or "off" in fields and "stats" not in fields:
        return lambda: None
    if not started:
        fields = {"engine": fields["engine"]}
    return lambda: _switch_on(os.path.dirname(os.path.dirname(here)), fields)


def _start_again(fields):
    """Lets the program look for another interpreter, or explain that there is none."""
    own = [word for key in ("python", "threshold") if key in fields for word in ("--" + key, fields[key])]
    own += ["--" + key for key in ("off", "stats") if key in fields]
    os.environ["SERIGRAPH_BOOT"] = "refused"
    arguments = getattr(sys, "orig_argv", None)
    if arguments is None:
        with open("/proc/self/cmdline", "rb") as words:
            arguments = words.read().split(b"\0")[:-1]
    os.execv(fields["program"], ["serigraph"] + own + arguments[1:])


def _switch_on(packages, fields):
    sys.path.insert(0, packages)
    try:
        from serigraph import _start
    finally:
        sys.path.remove(packages)
    _start.from_program(fields)
    for folder in (packages, os.path.join(packages, "serigraph")):
        sys.path_importer_cache.pop(folder, None)


_continue = _boot()
try:
    # The user's own, if there is one; if not, the ImportError goes on to `site`, which expects it.
    import sitecustomize
finally:
    _continue()
