"""Python packages: the interpreter and what each extra of the project demands of it."""

import contextlib
import importlib.metadata
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from launcher.doctor.examination import Probe
from launcher.doctor.observation import Observation, missing, there, unseen

# Extras whose packages are others' extras, or the developers'.
_NOT_LOOKED_AT: Final = frozenset({"all", "dev"})
_BASE: Final = ""
_COSTS: Final = {
    _BASE: "Nothing can be recorded, merged or read.",
    "launch": "No measurement can be planned or begun from here.",
    "work": "No rank can run a model with this Python, which is the one that jobs run.",
    "analysis": "No table, figure, report or audit is made here; records are sealed all the same.",
}
_STOPS: Final = frozenset({_BASE, "launch", "work"})
_EXTRA: Final = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")
_LEAST: Final = re.compile(r">=(\d+)\.(\d+)")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_PROJECT: Final = Path(__file__).resolve().parents[2] / "pyproject.toml"


def probes() -> list[Probe]:
    """The interpreter, and each extra's packages."""
    return [
        Probe(name="python", look=python, costs="Nothing of the project can run."),
        Probe(name="packages", look=packages, costs=_COSTS[_BASE]),
    ]


def python(project: Path = _PROJECT) -> Sequence[Observation]:
    """The interpreter's version against what the project demands."""
    wanted = demands(project)[0]
    version = ".".join(map(str, sys.version_info[:3]))
    found = f"{version} ({sys.executable}); {wanted or 'any version'} is demanded"
    least = _LEAST.fullmatch(wanted)
    # A bare Python has nothing to compare other demands by.
    if least is not None:
        fits: bool | None = sys.version_info[:2] >= (int(least[1]), int(least[2]))
    else:
        fits = _comparer()(wanted, version) if wanted else True
    if fits is None:
        return [unseen("python", f"{found}, not compared", costs="Nothing of the project can run.")]
    if not fits:
        return [
            missing(
                "python",
                found,
                costs="Nothing of the project can run.",
                remedy=f"load or install a Python {wanted} and make the environment with it",
                stops=True,
            )
        ]
    return [there("python", found)]


def packages(
    project: Path = _PROJECT,
    version_of: Callable[[str], str] = importlib.metadata.version,
) -> Sequence[Observation]:
    """Each extra's packages against what the project demands of them."""
    _, extras = demands(project)
    compare = _comparer()
    return [
        _extra(extra, wanted, version_of, compare)
        for extra, wanted in extras.items()
        if extra not in _NOT_LOOKED_AT
    ]


def demands(project: Path) -> tuple[str, Mapping[str, Sequence[str]]]:
    """What is demanded of Python, and by extra of packages; the project's own under ``.

    A checkout's pyproject.toml, else what was installed tells of itself.

    Raises:
        RuntimeError: neither does.
    """
    found: dict[str, list[str]] = defaultdict(list)
    if project.is_file():
        content = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        found[_BASE] += content["dependencies"]
        for extra, lines in content["optional-dependencies"].items():
            found[extra] += lines
        return str(content["requires-python"]), found
    try:
        metadata = importlib.metadata.metadata("joulegrid")
    except importlib.metadata.PackageNotFoundError as error:
        raise RuntimeError("the project is neither installed nor a checkout") from error
    for line in metadata.get_all("Requires-Dist") or []:
        wanted, _, marker = line.partition(";")
        match = _EXTRA.search(marker)
        found[match[1] if match else _BASE].append(wanted.strip())
    return str(metadata["Requires-Python"] or ""), found


def _extra(
    extra: str,
    wanted: Sequence[str],
    version_of: Callable[[str], str],
    compare: Callable[[str, str], bool | None],
) -> Observation:
    """One extra: all packages there, some not, some too old, or nothing to compare by."""
    absent, unfit, unknown, told = [], [], [], []
    for line in wanted:
        match = _NAME.match(line)
        assert match is not None, line
        name, demand = match[0], line[match.end() :].strip()
        try:
            version = version_of(name)
        except importlib.metadata.PackageNotFoundError:
            absent.append(f"{name}{demand}")
            continue
        fits = compare(demand, version) if demand else True
        if fits is None:
            unknown.append(f"{name} {version} ({demand})")
        elif fits:
            told.append(f"{name} {version}")
        else:
            unfit.append(f"{name} {version}, but {demand} is demanded")
    label = f"extra-{extra}" if extra else "packages"
    costs = _COSTS.get(extra, f"What extra {extra} is for cannot be done here.")
    if absent or unfit:
        lacks = [f"not installed: {', '.join(absent)}"] if absent else []
        bring = f"joulegrid[{extra}]" if extra else "joulegrid"
        local = f".[{extra}]" if extra else "."
        return missing(
            label,
            "; ".join([*lacks, *unfit]),
            costs=costs,
            remedy=f"pip install '{bring}', or '{local}' in a checkout",
            stops=extra in _STOPS,
        )
    if unknown:
        why = f"no package `packaging` to compare versions by: {', '.join(unknown)}"
        return unseen(label, why, costs=costs)
    return there(label, ", ".join(told))


def _comparer() -> Callable[[str, str], bool | None]:
    """Whether a version is what a demand allows; None where there is nothing to compare by."""
    library = _versions_library()

    def compare(demand: str, version: str) -> bool | None:
        if library is None:
            return None
        try:
            # A vendor's build is called `2.12.0a0+git`: what is newer than the demand is taken.
            return bool(library.SpecifierSet(demand).contains(version, prereleases=True))
        # Both of its refusals, of a demand and of a version, are such.
        except ValueError:
            return None

    return compare


def _versions_library() -> Any:
    """PyPA's comparison of versions: a package of its own, or pip's copy; None without either."""
    for name in ("packaging.specifiers", "pip._vendor.packaging.specifiers"):
        with contextlib.suppress(ModuleNotFoundError):
            return import_module(name)
    return None
