"""Imports Python packages without what they compute with.

vLLM's command line is made of the types of its configuration, and those are imported together with
PyTorch and much else that a machine without a GPU has no use for. Here, every package that is not
installed is imported all the same, as a module whose every attribute is a class that does nothing.
What is read of vLLM itself is the release's own code.
"""

import importlib.abc
import importlib.machinery
import importlib.metadata
import sys
import types
from collections.abc import Sequence
from typing import Any

# Optional packages whose absence vLLM handles itself: it would take a stand-in for a device.
ABSENT = frozenset({"amdsmi", "libtpu", "pynvml", "ray", "torch_xla", "tpu_inference", "zentorch"})

# Modules of vLLM that work with PyTorch as soon as they are imported, and know no flags.
COMPUTES = ("vllm.env_override", "vllm.ir", "vllm._C")


class _Open(type):
    """A class of classes that have every attribute."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = _Open(name, (Nothing,), {"__module__": cls.__module__})
        setattr(cls, name, made)
        return made

    def __iter__(cls) -> Any:
        return iter(())

    def __getitem__(cls, item: Any) -> Any:
        return cls


class Nothing(metaclass=_Open):
    """A class, decorator, function or value that does nothing."""

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        """Return what is decorated, or an object."""
        if len(arguments) == 1 and not named and callable(arguments[0]):
            return arguments[0]
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Take any arguments."""

    def __call__(self, *arguments: Any, **_: Any) -> Any:
        """Return what is decorated, or this object."""
        return arguments[0] if len(arguments) == 1 and callable(arguments[0]) else self

    def __getattr__(self, name: str) -> Any:
        """Have every attribute."""
        if name.startswith("__"):
            raise AttributeError(name)
        return _Open(name, (Nothing,), {"__module__": __name__})

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        """Let pydantic take any value for it."""
        from pydantic_core import core_schema

        return core_schema.any_schema()


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = _Open(name, (Nothing,), {"__module__": self.__name__})
        setattr(self, name, made)
        return made


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        root = name.split(".")[0]
        computes = any(name == module or name.startswith(f"{module}.") for module in COMPUTES)
        if not computes:
            if root in ABSENT or root in sys.stdlib_module_names:
                return None
            if importlib.machinery.PathFinder.find_spec(root):
                return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = _Module(spec.name)
        module.__path__ = []
        module.__version__ = "99.0.0"
        module.__file__ = __file__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def stand_in() -> None:
    """Let every package be imported from now on."""
    sys.meta_path.insert(0, _Finder())
    version = importlib.metadata.version

    def any_version(name: str) -> str:
        try:
            return version(name)
        except importlib.metadata.PackageNotFoundError:
            return "99.0.0"

    importlib.metadata.version = any_version
