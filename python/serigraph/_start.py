"""Switches Serigraph on at the start of a process, for the `serigraph` program and for SERIGRAPH=1."""

import os
import sys


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
    # With the `serigraph` program its start-up step comes later, with its own engine.
    if os.environ.get("SERIGRAPH", "0") in ("", "0") or "SERIGRAPH_BOOT" in os.environ:
        return
    # `site` reads what is installed in a virtual environment twice.
    global _has_started
    if not _has_started:
        _has_started = True
        _start({}, None)


_has_started = False


def _start(fields, engine):
    settings, for_engine = _settings(fields)
    try:
        if engine:
            _load_engine(engine)
        from . import _native

        _native.enable(for_engine)
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


def _settings(fields):
    """The settings of this run, and those of them that the engine is given."""
    given = [name for name in ("threshold", "stats") if name in fields]
    # Most runs have no settings, and do without reading the table of them.
    if (
        not given
        and os.environ.get("SERIGRAPH", "") in ("", "0", "1")
        and not any(variable.startswith("SERIGRAPH_") for variable in os.environ)
    ):
        return {}, {}
    from . import _options

    try:
        settings = _options.from_environment(os.environ)
        for name in given:
            settings[name] = _options.check(name, fields[name], "--" + name)
    except _options.OptionError as error:
        _stop(str(error))
    return settings, _options.for_engine(settings)


def _load_engine(path):
    """Loads the extension module from a file of another name, as cargo builds it."""
    # The modules behind `importlib`, which are always there: importing `importlib` itself would show.
    from _frozen_importlib import ModuleSpec, _load
    from _frozen_importlib_external import ExtensionFileLoader

    name = "serigraph._native"
    if name not in sys.modules:
        _load(ModuleSpec(name, ExtensionFileLoader(name, path), origin=path))


def _stop(text):
    """Ends the process before the program starts."""
    os.write(2, ("serigraph: %s\n" % text).encode("utf-8", "backslashreplace"))
    os._exit(2)
