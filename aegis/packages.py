"""Packages whose modules can be loaded one by one, where the whole of one costs too much to load.

Whoever asks such a package for something that is none of its loaded modules gets the whole of it,
as if it had been imported at once: a script beside AEGIS notices nothing.
"""

from __future__ import annotations

import importlib.util
import sys
from threading import Lock
from types import ModuleType

_LOADING = Lock()


def open_shallow(name: str) -> None:
    """Let modules of a package be imported without what its own `__init__` would load.

    Nothing is done where the package is loaded already.
    """
    with _LOADING:
        if name not in sys.modules:
            sys.modules[name] = _shallow(name)


def _shallow(name: str) -> ModuleType:
    spec = importlib.util.find_spec(name)
    assert spec is not None, f"Expected {name} to be installed"
    assert spec.loader is not None, f"Expected {name} to be a package"
    package, loader = importlib.util.module_from_spec(spec), spec.loader

    def load(wanted: str) -> object:
        if wanted.startswith("__") or "__getattr__" not in vars(package):
            raise AttributeError(wanted)
        del vars(package)["__getattr__"]
        loader.exec_module(package)
        return getattr(package, wanted)

    vars(package)["__getattr__"] = load
    return package
