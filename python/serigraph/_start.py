"""Switches Serigraph on at the start of a process, for the `serigraph` program and for SERIGRAPH=1."""

import os

from . import _engine, _options


def from_program(fields):
    """For the `serigraph` program; `fields` is what it passes to the start-up step."""
    if "off" in fields:
        if "stats" in fields:
            from . import _report

            _report.at_exit("off")
        return
    _start(fields, fields["engine"])


def from_environment():
    """For an installed package, at the start of every interpreter of its environment."""
    value = os.environ.get("SERIGRAPH", "")
    # The `serigraph` program's start-up step comes later, with its own engine.
    if value in ("", "0") or "SERIGRAPH_BOOT" in os.environ:
        return
    if value != "1":
        _stop("SERIGRAPH must be 0 or 1, not %r" % value)
    _start({}, None)


def _start(fields, engine):
    try:
        settings = _options.from_environment(os.environ)
        for name in ("threshold", "stats"):
            if name in fields:
                settings[name] = _options.check(name, fields[name], "--" + name)
    except _options.OptionError as error:
        _stop(str(error))
    try:
        native = _engine.load(engine) if engine else _engine.native()
        native.enable(_options.for_engine(settings))
        problem = None
    except ValueError as error:
        _stop(str(error))
    except (ImportError, RuntimeError) as error:
        problem = str(error)
        if not settings.get("fallback"):
            _stop(problem + "\nSERIGRAPH_FALLBACK=1 runs the program without Serigraph")
    if settings.get("stats"):
        from . import _report

        _report.at_exit(settings["stats"] if problem is None else "off: " + problem)


def _stop(text):
    """Ends the process before the program starts."""
    os.write(2, ("serigraph: %s\n" % text).encode("utf-8", "backslashreplace"))
    os._exit(2)
