"""What every loader is."""

from abc import ABC, abstractmethod
from typing import Any


class BaseModelLoader(ABC):
    """Fills a model."""

    def __init__(self, load_config: Any) -> None:
        self.load_config = load_config

    @abstractmethod
    def download_model(self, model_config: Any) -> None:
        """Have its files here."""

    @abstractmethod
    def load_weights(self, model: Any, model_config: Any) -> None:
        """Fill it."""
