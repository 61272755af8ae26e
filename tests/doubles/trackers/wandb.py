"""Weights & Biases as a recipe sees it: signatures of release 0.2x, and its limits.

Source: docs.wandb.ai/ref/python; wandb/sdk/wandb_run.py and wandb/sdk/artifacts/artifact.py. A
tag has 1 to 64 characters, a run's id at most 128 and none of / \\ # ? % :.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

_MOST_TAG_CHARS: Final = 64
_RUN_ID: Final = re.compile(r"[^/\\#?%:]{1,128}")
_ARTIFACT: Final = re.compile(r"[\w.-]{1,128}")


class Artifact:
    """Files under a name."""

    def __init__(
        self,
        name: str,
        type: str,
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        incremental: bool = False,
        use_as: str | None = None,
        storage_region: str | None = None,
    ) -> None:
        assert _ARTIFACT.fullmatch(name), name
        self.name, self.type, self.metadata = name, type, metadata or {}
        self.files: list[str] = []

    def add_file(
        self,
        local_path: str,
        name: str | None = None,
        is_tmp: bool | None = False,
        skip_cache: bool | None = False,
        policy: Literal["mutable", "immutable"] | None = "mutable",
        overwrite: bool = False,
    ) -> None:
        assert Path(local_path).is_file(), local_path
        self.files.append(local_path)


@dataclass
class LoggedRun:
    """What one run was told."""

    id: str | None
    config: dict[str, Any]
    tags: Sequence[str]
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    artifacts: list[Artifact] = field(default_factory=list)
    finished: bool = False
    resumed: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finished = True

    def log(
        self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None
    ) -> None:
        for name, value in data.items():
            assert isinstance(name, str)
            assert value is not None, name
            assert not isinstance(value, float) or math.isfinite(value), name
        self.history.append(dict(data))

    def log_artifact(
        self,
        artifact_or_path: Artifact | str,
        name: str | None = None,
        type: str | None = None,
        aliases: list[str] | None = None,
        tags: list[str] | None = None,
    ) -> Artifact:
        assert isinstance(artifact_or_path, Artifact)
        self.artifacts.append(artifact_or_path)
        return artifact_or_path


class Wandb:
    """The module."""

    Artifact = Artifact

    def __init__(self) -> None:
        self.runs: list[LoggedRun] = []

    def init(
        self,
        entity: str | None = None,
        project: str | None = None,
        dir: str | None = None,
        id: str | None = None,
        name: str | None = None,
        notes: str | None = None,
        tags: Sequence[str] | None = None,
        config: dict[str, Any] | str | None = None,
        config_exclude_keys: list[str] | None = None,
        config_include_keys: list[str] | None = None,
        allow_val_change: bool | None = None,
        group: str | None = None,
        job_type: str | None = None,
        mode: Literal["online", "offline", "disabled", "shared"] | None = None,
        force: bool | None = None,
        reinit: bool | str | None = None,
        resume: bool | Literal["allow", "never", "must", "auto"] | None = None,
        resume_from: str | None = None,
        fork_from: str | None = None,
        save_code: bool | None = None,
        tensorboard: bool | None = None,
        sync_tensorboard: bool | None = None,
        monitor_gym: bool | None = None,
        settings: object | None = None,
    ) -> LoggedRun:
        assert not self.runs or self.runs[-1].finished, "a run is not finished"
        assert id is None or _RUN_ID.fullmatch(id), id
        assert all(0 < len(tag) <= _MOST_TAG_CHARS for tag in tags or ())
        assert isinstance(config, dict)
        resumed = resume == "allow" and id is not None and any(run.id == id for run in self.runs)
        self.runs.append(LoggedRun(id=id, config=config, tags=list(tags or ()), resumed=resumed))
        return self.runs[-1]
