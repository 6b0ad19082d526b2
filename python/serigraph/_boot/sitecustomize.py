# The start-up step: runs in an interpreter that the `serigraph` program started, before anything of
# the user's. It leaves sys.path, sys.modules and the environment as they would be without it, lets
# the user's own sitecustomize run, and switches Serigraph on.
#
# It may find itself in any Python, however old. Every program pays for it, and where no compiled form
# can be kept also for each word: what is seldom needed is in other files.

import os
import sys

# Python 2 empties a module that nothing holds any more.
_this = sys.modules.pop("sitecustomize", None)


def _boot():
    """Undoes what brought us here; returns what is left to do, as a function."""
    here = os.path.dirname(os.path.abspath(__file__))
    value = os.environ.get("SERIGRAPH_BOOT", "")
    fields = dict(field.partition("=")[::2] for field in value.split("\x1f"))
    # The usual builds are known by these words, others are asked (a debug build has a "d" in its flags).
    implementation = getattr(sys, "implementation", None)
    supported = (
        getattr(implementation, "cache_tag", None) in ("cpython-312", "cpython-313")
        and getattr(implementation, "_multiarch", None) == "x86_64-linux-gnu"
        and sys.abiflags == ""
    )
    interpreter = None
    try:
        if not supported:
            import _serigraph_interpreter as interpreter

            supported = interpreter.is_supported()
    finally:
        sys.modules.pop("_serigraph_interpreter", None)
        sys.path[:] = [folder for folder in sys.path if folder != here]
        sys.path_importer_cache.pop(here, None)

    # With SERIGRAPH=1 the user wants child processes accelerated too: they come the same way.
    started = fields.get("pid") == str(os.getpid())
    refused = started and not supported and "unsupported" not in fields
    if refused or os.environ.get("SERIGRAPH") != "1":
        os.environ.pop("SERIGRAPH_BOOT", None)
        if "pythonpath" in fields:
            os.environ["PYTHONPATH"] = fields["pythonpath"]
        else:
            os.environ.pop("PYTHONPATH", None)
    if refused:
        interpreter.start_again(fields)
    if not supported or "engine" not in fields or "off" in fields and "stats" not in fields:
        return lambda: None
    if not started:
        fields = {"engine": fields["engine"]}
    return lambda: _switch_on(os.path.dirname(here), fields)


def _switch_on(folder, fields):
    # The modules behind `importlib`, which are always there: importing `importlib` itself would show.
    from _frozen_importlib import ModuleSpec, _load, module_from_spec
    from _frozen_importlib_external import ExtensionFileLoader, SourceFileLoader

    # The package is there for who asks for it, and read when something of it is asked for.
    path = os.path.join(folder, "__init__.py")
    loader = SourceFileLoader("serigraph", path)
    spec = ModuleSpec("serigraph", loader, origin=path, is_package=True)
    # As for a module found in the usual way: it has a __file__.
    spec.has_location = True
    spec.submodule_search_locations.append(folder)
    package = module_from_spec(spec)

    def read(name):
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        loader.exec_module(package)
        package.__dict__.pop("__getattr__", None)
        return getattr(package, name)

    package.__getattr__ = read
    sys.modules["serigraph"] = package

    # Without settings of its own, or something that goes wrong, a run needs only the engine.
    threshold = fields.get("threshold", "1")
    if (
        "stats" not in fields
        and threshold.isascii()
        and threshold.isdigit()
        and len(threshold) < 10
        and int(threshold) > 0
        and os.environ.get("SERIGRAPH", "0") in ("", "0", "1")
        and not any(name.startswith("SERIGRAPH_") for name in os.environ if name not in _NO_SETTINGS)
    ):
        name = "serigraph._native"
        engine = fields["engine"]
        try:
            native = _load(ModuleSpec(name, ExtensionFileLoader(name, engine), origin=engine))
            native.enable({"threshold": int(threshold)} if "threshold" in fields else {})
            package._native = native
            return
        except (ImportError, RuntimeError, ValueError):
            # The long way meets the same, and says so.
            pass
    import serigraph._start as start

    start.from_program(fields)
    sys.path_importer_cache.pop(folder, None)


_NO_SETTINGS = ("SERIGRAPH_BOOT", "SERIGRAPH_PYTHON")
_continue = _boot()
try:
    # The user's own, if there is one; if not, the ImportError goes on to `site`, which expects it.
    import sitecustomize
finally:
    _continue()
