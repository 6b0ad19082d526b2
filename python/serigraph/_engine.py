"""Finds the engine: the extension module `serigraph._native`."""

import sys

NAME = "serigraph._native"


def native():
    """The extension module; in an installed package it lies beside this file."""
    if NAME not in sys.modules:
        from . import _native
    return sys.modules[NAME]


def load(path):
    """Loads the extension module from a file of another name, as cargo builds it."""
    # The modules behind `importlib`, which are always there: importing `importlib` itself would show.
    from _frozen_importlib import ModuleSpec, _load
    from _frozen_importlib_external import ExtensionFileLoader

    if NAME not in sys.modules:
        _load(ModuleSpec(NAME, ExtensionFileLoader(NAME, path), origin=path))
    return sys.modules[NAME]
