"""Software: which packages, container and code a rank works with, as its own process has them.

The launcher records what the submitting host has. A node may find others under the same paths.
"""

import hashlib
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import torch

# What decides how fast and how exactly ranks compute.
_PACKAGES: Final = ("torch", "triton", "fairscale", "sentencepiece", "numpy", "pyarrow")
# What runtimes set within a container: Apptainer, Singularity before it, Enroot's Pyxis, Shifter.
_CONTAINERS: Final = (
    *("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER", "SLURM_CONTAINER", "SHIFTER_IMAGE"),
)
_DOCKER: Final = Path("/.dockerenv")
# The rooms that work and record.
_ROOMS: Final = ("workers", "telemetry")
_REPOSITORY: Final = Path(__file__).resolve().parents[2]


def describe_software(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Packages by name, the container and a digest of the code; None for what is not there."""
    return {
        "software": {
            "python": platform.python_version(),
            "cuda": torch.version.cuda,
            **{name: _version(name) for name in _PACKAGES},
        },
        "container": _container(environment),
        "code_sha256": code_sha256(),
    }


@cache
def code_sha256(root: Path = _REPOSITORY) -> str:
    """SHA-256 over the names and bytes of the modules that work and record."""
    digest = hashlib.sha256()
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            name = path.relative_to(root).as_posix().encode()
            data = path.read_bytes()
            digest.update(b"%d %b %d " % (len(name), name, len(data)) + data)
    return digest.hexdigest()


def _container(environment: Mapping[str, str]) -> str | None:
    """The container's name; None outside of one that is known."""
    named = next((environment[name] for name in _CONTAINERS if environment.get(name)), None)
    return named or ("docker" if _DOCKER.exists() else None)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
