"""Settings: what each node of a run was, and which code worked there, as far as it is on record."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from analysis.audit.check import Case

# Of every GPU's entry: what makes two boards of one name draw or work otherwise.
_OF_GPU: Final = (
    *("name", "driver", "nvml", "vbios", "memory_bytes", "compute_capability", "mig", "ecc"),
    *("persistence", "power_limit_w", "power_limit_default_w", "max_sm_clock_mhz"),
    "max_memory_clock_mhz",
)
_OF_PLATFORM: Final = ("cpu_model", "logical_cpus", "kernel")
# Of a source, or of the parts that one is made of: whose readings they are.
_OF_SOURCE: Final = ("name", "chosen", "driver", "nvml", "nvidia_ml_py", "dcgm", "psutil")
# Of what a rank of each node tells of itself.
_OF_WORK: Final = ("software", "container", "code_sha256")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a run was made with, for a comparison with others."""

    campaign: str | None
    """The call of the launcher that made it; None where its record does not say."""
    told: Mapping[str, tuple[str, ...]]
    """By what it is of: all values that the run's nodes have, sorted; nothing that is untold."""


def run_settings(case: Case) -> Settings:
    """What a run's nodes, code and packages were."""
    told: dict[str, set[str]] = {}
    for _, name, value in node_settings(case):
        told.setdefault(name, set()).add(value)
    provenance = case.run.provenance
    git = provenance.get("git")
    if isinstance(git, dict):
        for name in ("commit", "diff_sha256"):
            if git.get(name) is not None:
                told[name] = {str(git[name])}
    if isinstance(packages := provenance.get("packages"), dict):
        text = json.dumps(packages, sort_keys=True)
        told["packages"] = {hashlib.sha256(text.encode()).hexdigest()[:12]}
    if provenance.get("python") is not None:
        told["python"] = {str(provenance["python"])}
    planned = provenance.get("planned")
    campaign = planned.get("campaign") if isinstance(planned, dict) else None
    return Settings(
        campaign=campaign if isinstance(campaign, str) else None,
        told={name: tuple(sorted(values)) for name, values in sorted(told.items())},
    )


def node_settings(case: Case) -> Iterator[tuple[str, str, str]]:
    """Every setting of every node: where, what and its value, as text."""
    for host, ready in sorted(case.run.hosts.items()):
        for gpu in ready.get("gpus", []):
            for name in _OF_GPU:
                if gpu.get(name) is not None:
                    yield f"{gpu.get('uuid')} on {host}", f"GPU's {name}", _text(gpu[name])
        platform = ready.get("platform")
        for name in _OF_PLATFORM:
            if isinstance(platform, dict) and platform.get(name) is not None:
                yield host, name, _text(platform[name])
        yield from _of_source(host, ready.get("source"))
        if ready.get("period_ms") is not None:
            yield host, "period_ms", _text(ready["period_ms"])
    for rank in case.run.manifest.get("ranks", []):
        for name in _OF_WORK:
            value = rank.get(name)
            parts = value.items() if isinstance(value, dict) else [(None, value)]
            for part, each in parts:
                if each is not None:
                    what = name if part is None else f"{name}: {part}"
                    yield f"{rank.get('host')}, rank {rank.get('rank')}", what, _text(each)


def _of_source(host: str, source: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(source, dict):
        return
    for part, content in (("source", source), *sorted(source.items())):
        if not isinstance(content, dict):
            continue
        for name in _OF_SOURCE:
            if isinstance(content.get(name), str | int):
                yield host, f"{part}'s {name}", _text(content[name])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
