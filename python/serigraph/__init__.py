"""Serigraph: hot Python loops as machine code, on the CPython you have.

    import serigraph
    serigraph.enable()

or, without touching the program, `SERIGRAPH=1` in the environment, or the `serigraph` program.

This module is imported at start-up, so it imports nothing that it can do without.
"""

__all__ = ["disable", "dump", "enable", "is_enabled", "report", "stats", "supported"]


def enable(**options):
    """Switches Serigraph on. Settings are those of the SERIGRAPH_* variables, in lower case and
    without the prefix; what is given here goes before the environment.

    Raises ValueError for a setting that is not right and RuntimeError where Serigraph cannot be used.
    """
    import os

    from . import _native, _options

    settings = _options.from_environment(os.environ)
    settings.update((name, _options.check(name, value)) for name, value in options.items())
    _native.enable(_options.for_engine(settings))
    if settings.get("stats"):
        from . import _report

        _report.at_exit(settings["stats"])


def disable():
    """Switches Serigraph off: the program goes on in the interpreter. Does nothing when it is off."""
    from . import _native

    _native.disable()


def is_enabled():
    """Whether Serigraph is on."""
    from . import _native

    return _native.is_enabled()


def supported():
    """Whether Serigraph can be used in this interpreter, and a text that says why."""
    from . import _native

    return _native.supported()


def stats():
    """What was compiled, entered, left and aborted, as a dictionary."""
    from . import _native

    return _native.stats()


def report():
    """What `stats()` returns, as a text for people."""
    from . import _report

    return _report.text(stats())


def dump(trace, stage):
    """One stage of a compiled trace as text: `record`, `opt`, `regalloc` or `asm`."""
    from . import _native

    return _native.dump(trace, stage)
