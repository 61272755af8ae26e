"""MLflow as a recipe sees it: the fluent API's signatures of release 3, and its limits.

Source: mlflow.org/docs/latest/api_reference/python_api/mlflow.html; mlflow/utils/validation.py has
the limits.
"""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

# Alphanumerics, underscores, dashes, periods, spaces, colons and slashes.
_NAME: Final = re.compile(r"[\w.\-: /]+")
_MOST_NAME_CHARS: Final = 250
_MOST_PARAM_CHARS: Final = 6000
_MOST_TAG_CHARS: Final = 8000


def _named(name: object) -> str:
    assert isinstance(name, str)
    assert _NAME.fullmatch(name), name
    assert len(name) <= _MOST_NAME_CHARS, name
    return name


@dataclass
class LoggedRun:
    """What one run was told."""

    name: str | None
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    artifacts: list[tuple[str, str | None]] = field(default_factory=list)


class Mlflow:
    """The module."""

    def __init__(self) -> None:
        self.experiment: str | None = None
        self.runs: list[LoggedRun] = []
        self._active: LoggedRun | None = None

    def set_experiment(
        self, experiment_name: str | None = None, experiment_id: str | None = None
    ) -> None:
        self.experiment = experiment_name

    @contextmanager
    def start_run(
        self,
        run_id: str | None = None,
        experiment_id: str | None = None,
        run_name: str | None = None,
        nested: bool = False,
        parent_run_id: str | None = None,
        tags: dict[str, Any] | None = None,
        description: str | None = None,
        log_system_metrics: bool | None = None,
    ) -> Iterator[LoggedRun]:
        assert self._active is None or nested, "a run is active"
        self._active = LoggedRun(name=run_name)
        self.runs.append(self._active)
        yield self._active
        self._active = None

    def log_params(
        self, params: dict[str, Any], synchronous: bool | None = None, run_id: str | None = None
    ) -> None:
        for name, value in params.items():
            assert len(str(value)) <= _MOST_PARAM_CHARS, name
            self._run.params[_named(name)] = str(value)

    def log_metrics(
        self,
        metrics: dict[str, float],
        step: int | None = None,
        synchronous: bool | None = None,
        run_id: str | None = None,
        timestamp: int | None = None,
        model_id: str | None = None,
        dataset: object | None = None,
    ) -> None:
        for name, value in metrics.items():
            assert isinstance(value, float), name
            assert math.isfinite(value), name
            self._run.metrics[_named(name)] = value

    def set_tags(self, tags: Mapping[str, Any], synchronous: bool | None = None) -> None:
        for name, value in tags.items():
            assert len(str(value)) <= _MOST_TAG_CHARS, name
            self._run.tags[_named(name)] = str(value)

    def log_artifact(
        self, local_path: str, artifact_path: str | None = None, run_id: str | None = None
    ) -> None:
        assert Path(local_path).is_file(), local_path
        self._run.artifacts.append((local_path, artifact_path))

    @property
    def _run(self) -> LoggedRun:
        assert self._active is not None, "no run is active"
        return self._active
