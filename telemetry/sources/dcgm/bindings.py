"""Bindings: NVIDIA's own Python bindings of DCGM, found, loaded and held to one folder.

They are flat modules that import each other by bare name, so their folder goes on `sys.path`. Only
the watcher loads them. Calls used are the same in DCGM 3.0 to 4.6 (testing/python3 of
github.com/NVIDIA/DCGM); 4.6 renames the fields, so these go by number.
"""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PACKAGED: Final = (
    # Debian and RPM package datacenter-gpu-manager-4-core.
    Path("/usr/share/datacenter-gpu-manager-4/bindings/python3"),
    # Package datacenter-gpu-manager, DCGM 2 and 3.
    Path("/usr/local/dcgm/bindings/python3"),
)
"""Where NVIDIA's packages install the bindings, the newer first."""

_MODULES: Final = ("dcgm_structs", "dcgm_fields", "dcgm_agent", "pydcgm")
# dcgm_structs.py: DCGM_ST_*, negative numbers with a class each, the same in all releases.
_LIBRARY_NOT_FOUND: Final = -25


class DcgmMissingError(RuntimeError):
    """DCGM's bindings or its library are not on this node."""


@dataclass(frozen=True, kw_only=True)
class DcgmBindings:
    """The loaded modules."""

    folder: Path
    """Where all of them were loaded from."""
    version: str
    """What libdcgm says of itself, such as `4.4.2`."""
    pydcgm: Any
    """Module of that name: connections to the engine as objects."""
    agent: Any
    """Module dcgm_agent: the library's own calls."""
    structs: Any
    """Module dcgm_structs: constants, structures and errors of those calls."""
    error: type[Exception]
    """Base of everything that the bindings raise for a failed call."""


def find_bindings(configured: str | None, packaged: tuple[Path, ...] = PACKAGED) -> Path:
    """The bindings' folder: the configured one, else the first that a package installed.

    Raises:
        DcgmMissingError: no folder holds pydcgm.py.
    """
    if configured is not None:
        folder = Path(configured)
        if not (folder / "pydcgm.py").is_file():
            raise DcgmMissingError(
                f"`dcgm_bindings` must be a folder with NVIDIA's pydcgm.py, "
                f"but is {configured!r} instead"
            )
        return folder
    for folder in packaged:
        if (folder / "pydcgm.py").is_file():
            return folder
    places = " nor ".join(str(folder) for folder in packaged)
    raise DcgmMissingError(f"DCGM's Python bindings must be installed, but are neither in {places}")


def load_bindings(folder: Path) -> DcgmBindings:
    """Import the bindings from `folder` and their library; once per process.

    Raises:
        DcgmMissingError: a module or the library cannot be loaded.
        RuntimeError: a module of that name came from elsewhere.
    """
    # At the end, so that no module of the folder stands in for one of Python's.
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        modules = {name: importlib.import_module(name) for name in _MODULES}
    except ImportError as error:
        raise DcgmMissingError(f"DCGM's bindings in {folder} cannot be loaded: {error}") from error
    for name, module in modules.items():
        origin = Path(str(module.__file__)).resolve().parent
        if origin != folder.resolve():
            raise RuntimeError(f"`{name}` must come from {folder}, but comes from {origin} instead")
    structs, agent = modules["dcgm_structs"], modules["dcgm_agent"]
    try:
        # Loads the library as the bindings' own DcgmHandle does.
        structs._dcgmInit()
        raw = agent.dcgmVersionInfo().rawBuildInfoString
    except structs.DCGMError as error:
        if error_code(error) == _LIBRARY_NOT_FOUND:
            raise DcgmMissingError(
                f"libdcgm, which the bindings in {folder} load from LD_LIBRARY_PATH, /usr/lib or "
                "/usr/lib64, is not there"
            ) from error
        raise RuntimeError(f"libdcgm of {folder} cannot be used: {error}") from error
    return DcgmBindings(
        folder=folder,
        version=build_info(raw).get("version", str(raw)),
        pydcgm=modules["pydcgm"],
        agent=agent,
        structs=structs,
        error=structs.DCGMError,
    )


def error_code(error: BaseException) -> int | None:
    """The DCGM_ST_ number that an error of the bindings carries; None for any other error."""
    code = getattr(error, "value", None)
    return code if isinstance(code, int) else None


def build_info(raw: str) -> Mapping[str, str]:
    """Keys and values of DCGM's own `version:4.4.2;arch:x86_64;...`."""
    pairs = (item.partition(":") for item in raw.split(";"))
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}
