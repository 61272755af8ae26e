"""Originals: the sealed runs of somebody's campaign, as far as they can be made again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from launcher.config.errors import BadInputError
from telemetry.command import CommandError
from telemetry.named_paths import named_path
from telemetry.record.files import read_json
from telemetry.record.launch import LaunchConfig
from telemetry.record.paths import AttemptPaths, RunPaths, campaigns_folder, list_runs
from telemetry.record.place import named_place
from telemetry.record.reproduces import Reproduces
from telemetry.record.seal import verify_seal
from telemetry.record.spec import RunSpec

Tell = Callable[[str], None]
_MODULE: Final = "launcher.reproduce"
# All that a foreign record is known to raise: lost files, other types, keys that are not there.
_UNREADABLE: Final = (OSError, ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True, kw_only=True)
class Original:
    """One sealed run, whole as it was sealed; its prompts alone may be lost."""

    paths: RunPaths
    """Where its record lies."""
    spec: RunSpec
    """What was run."""
    launch: LaunchConfig
    """How it was carried out."""
    config: Mapping[str, Any]
    """The configuration that it came from; empty in a record without."""
    provenance: Mapping[str, Any]
    """Who started it with which code; empty in a record without."""
    gpus: tuple[Mapping[str, Any], ...]
    """The GPUs that the watchers found."""
    seal: Reproduces
    """How a run that is made after it names it."""
    prompts_lost: bool = False
    """True where all is as it was sealed but the prompts' file, whose SHA-256 is known."""

    @property
    def prompts(self) -> Path:
        """Its prompts, by content."""
        return self.paths.prompts(self.launch.prompts_sha256)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A run that is not made again."""

    run_id: str
    """Its name in the original's folder."""
    reason: str
    """Why."""


@dataclass(frozen=True, kw_only=True)
class Originals:
    """What a path holds that can be made again."""

    path: Path
    """What was named."""
    results: Path
    """The results folder that it is or belongs to."""
    runs: tuple[Original, ...]
    """Every sealed run that is whole, by name."""
    left_out: tuple[LeftOut, ...]
    """Every other run."""


def read_originals(given: str, tell: Tell) -> Originals:
    """The sealed runs of a results folder, a campaign's folder, a run or an attempt.

    Every file is hashed against its seal. `tell` hears how far that is.

    Raises:
        CommandError: `given` is none of them.
    """
    try:
        path = named_path("reproduce", given)
    except ValueError as error:
        raise BadInputError(str(error)) from error
    campaign: str | None = None
    if (path / "campaign.json").is_file() and path.parent == campaigns_folder(path.parent.parent):
        results, campaign = path.parent.parent, path.name
        runs = list(list_runs(results))
    else:
        place = named_place(given, _MODULE, "reproduce")
        if place.results is None:
            raise CommandError(place.fault("reproduce", _MODULE))
        results = place.results
        runs = list(list_runs(results)) if place.run is None else [place.run]
    found: list[Original] = []
    left: list[LeftOut] = []
    for index, run in enumerate(runs):
        tell(f"hashing sealed runs: {index} of {len(runs)}")
        try:
            original = _read(run, campaign)
        except _UNREADABLE as error:
            said = " ".join(str(error).split()) or type(error).__name__
            left.append(LeftOut(run_id=run.run_id, reason=f"cannot be read: {said}"))
            continue
        if isinstance(original, Original):
            found.append(original)
        elif original is not None:
            left.append(original)
    return Originals(path=path, results=results, runs=tuple(found), left_out=tuple(left))


def _read(run: RunPaths, campaign: str | None) -> Original | LeftOut | None:
    """The run, or why it is left out; None for one of another campaign."""
    attempt = run.sealed()
    if attempt is None:
        if campaign is not None and not any(_campaign(a) == campaign for a in run.attempts()):
            return None
        return LeftOut(run_id=run.run_id, reason="not sealed: it may hold a part of its work alone")
    made_in = _campaign(attempt)
    if campaign is not None and made_in != campaign:
        return None
    launch = LaunchConfig.read(attempt.launch)
    prompts = f"{run.prompts(launch.prompts_sha256).relative_to(run.results).as_posix()}: "
    differences = verify_seal(run, attempt)
    if any(not difference.startswith(prompts) for difference in differences):
        more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
        return LeftOut(run_id=run.run_id, reason=f"not as it was sealed: {differences[0]}{more}")
    spec = RunSpec.read(run.spec)
    if spec.run_id != run.run_id:
        raise ValueError(f"its spec is that of {spec.run_id}")
    provenance = read_json(attempt.provenance) if attempt.provenance.is_file() else {}
    hosts = read_json(attempt.manifest)["hosts"]
    return Original(
        paths=run,
        spec=spec,
        launch=launch,
        config=dict(provenance.get("config") or {}),
        provenance=provenance,
        gpus=tuple(gpu for host in hosts.values() for gpu in host.get("gpus") or ()),
        seal=Reproduces.of(run, attempt, made_in),
        prompts_lost=bool(differences),
    )


def _campaign(attempt: AttemptPaths) -> str | None:
    """The call of the launcher that made an attempt; None where its record does not say."""
    if not attempt.submitted.is_file():
        return None
    submitted = read_json(attempt.submitted)
    if isinstance(named := submitted.get("campaign"), str):
        return named
    folder = submitted.get("folder")
    return Path(folder).parent.name if isinstance(folder, str) else None
