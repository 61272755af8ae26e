"""Kept format: was what a spec says of cached keys and values asked for, and done?"""

from collections.abc import Mapping
from typing import Any, Final

from telemetry.record.spec import RunSpec

_AUTO: Final = "auto"


def kept_asked(spec: RunSpec, config: Mapping[str, Any]) -> tuple[str, Any, Any]:
    """Field, value by the spec and value by the configuration; one from before has `auto`."""
    asked = config.get("kv_dtype", _AUTO)
    return "kv_dtype", spec.cached_dtype, spec.dtype if asked == _AUTO else asked


def kept_faults(spec: RunSpec, engine: Mapping[str, Any]) -> list[str]:
    """What an engine says of its caches in model.json that the spec does not.

    Engines that keep what they compute in need not say so, and records from before do not.
    """
    kept = engine.get("kv_dtype")
    if kept == spec.cached_dtype or (kept is None and spec.kv_dtype is None):
        return []
    return [
        f"`kv_dtype` must be {spec.cached_dtype} by the spec, but is {kept} in model.json instead"
    ]
