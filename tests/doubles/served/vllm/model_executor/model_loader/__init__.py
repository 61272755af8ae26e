"""Loaders by format."""

from collections.abc import Callable
from typing import Any

from .base_loader import BaseModelLoader

loaders: dict[str, type[BaseModelLoader]] = {}


def register_model_loader(load_format: str) -> Callable[[Any], Any]:
    """Have a format loaded by a class."""

    def taken(made: type[BaseModelLoader]) -> type[BaseModelLoader]:
        if not issubclass(made, BaseModelLoader):
            raise ValueError("The model loader must be a subclass of `BaseModelLoader`.")
        loaders[load_format] = made
        return made

    return taken
