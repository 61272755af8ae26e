"""Family: one architecture, as planning, checkpoints and loading ask for it, without torch."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.models.base.parameter import Parameter
from workers.models.base.shape import ModelShape

Settings = Callable[[Mapping[str, Any], Any], Iterator[tuple[str, Any, Any]]]
"""Of a checkpoint's JSON and a shape: each setting's name, what it says and what it must say."""


@dataclass(frozen=True, kw_only=True)
class CheckpointNames:
    """How published checkpoints of a family call its parameters and its sizes."""

    title: str
    """The family's name in sentences."""
    no_parameter: re.Pattern[str]
    """Names of what some files hold beside the parameters, and what is passed over."""
    hugging_face_name: Callable[[str], str | None]
    """The parameter that a name of the hub's files stands for; None when it stands for none."""
    hugging_face_settings: Settings
    """What the hub's config.json must say of a shape."""
    meta_settings: Settings | None
    """What params.json must say of a shape; None where Meta published no such family."""
    halved: Callable[[str], bool]
    """True for a parameter whose rows the hub's files keep, head by head, as the first of all pairs
    and then the second of all, where the model has pairs side by side."""
    copies: Mapping[str, str] = field(default_factory=dict)
    """Parameters that some files of a tied model hold although they are another's: whose."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """All that is asked of an architecture before and while it loads."""

    name: str
    """What `ModelShape.family` of its shapes holds."""
    shapes: Mapping[str, ModelShape]
    """The models that there are of it, by the name that specs use."""
    parameters: Callable[[Any], Iterator[Parameter]]
    """Every parameter of one of its shapes."""
    names: CheckpointNames
    """How published checkpoints call them."""
    model: str | None
    """Its `DecoderModel` as `module:class`, imported when a rank loads: it needs torch. None where
    an engine's own library alone has its layers."""
