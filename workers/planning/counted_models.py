"""Counted models: an architecture without a row here becomes a shape by what the library counted.

The spec carries the configuration and the counts together, so that nobody but who counts needs the
library to plan, watch or read a run of it.
"""

import hashlib
import json
from collections.abc import Mapping, Set
from typing import Any, Final

from workers.models.library.counted import CountedShape

COUNTED_KEY: Final = "counted"
"""Key of a spec's `model_config` that only such a model has."""
_DIGEST_DIGITS: Final = 12
_KEYS: Final = frozenset({"model_type", "config", COUNTED_KEY})


def counted_text(config: Mapping[str, Any], counted: Mapping[str, Any], passed: Set[str]) -> str:
    """What a spec's `model_config` holds of a configuration and its counts.

    `passed` are the settings of no matter to what inference computes.
    """
    said = {
        name: value
        for name, value in config.items()
        if name not in passed and name != "model_type" and not name.startswith("_")
    }
    held = {name: value for name, value in counted.items() if name != "model_type"}
    return _canonical({"model_type": config["model_type"], "config": said, COUNTED_KEY: held})


def counted_shape(content: Mapping[str, Any], short: str = "") -> CountedShape:
    """The shape that such content describes, under the name that its configuration makes.

    Raises:
        ValueError: it is no such content.
    """
    if set(content) != _KEYS:
        raise ValueError(f"`model_config` must have {', '.join(sorted(_KEYS))} alone")
    config, counted, model_type = content["config"], content[COUNTED_KEY], content["model_type"]
    settings = _canonical(config)
    digest = hashlib.sha256(f"{model_type} {settings}".encode()).hexdigest()[:_DIGEST_DIGITS]
    try:
        parts = tuple((str(name), tuple(size)) for name, size in counted["parts"])
        return CountedShape(
            **{
                **counted,
                "parts": parts,
                "name": f"{str(model_type).replace('_', '-')}-{short}{digest}",
                "model_type": model_type,
                "settings": settings,
            }
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"`model_config` must hold what was counted, but {error!r}") from error


def _canonical(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))
