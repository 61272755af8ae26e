"""Originals: the sealed runs of somebody's campaign, as far as they can be made again."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from launcher.config.errors import BadInputError
from telemetry.command import CommandError, ExitCode
from telemetry.named_paths import named_path
from telemetry.record.files import read_json, read_plain
from telemetry.record.launch import LaunchConfig
from telemetry.record.limits import JSON_BYTES
from telemetry.record.paths import (
    AttemptPaths,
    RunPaths,
    campaigns_folder,
    closed_runs,
    list_runs,
)
from telemetry.record.place import named_place
from telemetry.record.reproduces import Reproduces
from telemetry.record.roots import Root, list_roots
from telemetry.record.seal import verify_seal
from telemetry.record.signature import Allowed, key_signatures, signers_of
from telemetry.record.signer import SigningError
from telemetry.record.spec import RunSpec

Tell = Callable[[str], None]
_MODULE: Final = "launcher.reproduce"
# A crate's archive: unpacked it is a results folder with one file more.
_ZIP: Final = ".zip"
# All that a foreign record is known to raise: lost files, other types, keys that are not there.
_UNREADABLE: Final = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError),
)


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
    cluster: str | None = None
    """Where it ran, as `named_cluster` has it; None in a record that does not say."""
    signer: str | None = None
    """Who signed its seal: a name among the allowed signers, else the key; None: nobody did."""

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
    doubts: tuple[str, ...] = ()
    """What a reader has to know of it as evidence: signatures that nobody could look at, sealed
    runs that a root names and that are gone."""

    @property
    def signed_by(self) -> str:
        """Who answers for it, in words."""
        signers = Counter(one.signer or "nobody (author unknown)" for one in self.runs)
        if len(signers) == 1:
            return next(iter(signers))
        return ", ".join(f"{who} ({count})" for who, count in sorted(signers.items()))


def read_originals(given: str, tell: Tell, allowed: Path | None = None) -> Originals:
    """The sealed runs of a results folder, a campaign's folder, a run or an attempt.

    It is not believed: every file is hashed against its seal, every signature against what it
    signs, every root that the folder keeps against its seals. A file that is not as it was sealed
    may be a broken disk's, and leaves its run out; a signature or a root that does not hold is
    somebody's doing, and there is nothing to make again.

    Args:
        given: the path.
        tell: hears how far that is.
        allowed: whose signatures count, in OpenSSH's form; None asks for none.

    Raises:
        CommandError: `given` is none of them, or it is not what was signed.
    """
    try:
        path = named_path("reproduce", given)
        return _read_all(path, given, tell, allowed)
    except PermissionError as error:
        raise BadInputError(
            f"`reproduce` must be a folder that you may read, but {error.filename or given}: "
            f"{error.strerror}; who owns it may say: chmod -R go+rX FOLDER"
        ) from error
    except CommandError:
        raise
    except ValueError as error:
        raise BadInputError(str(error)) from error


def _read_all(path: Path, given: str, tell: Tell, allowed: Path | None) -> Originals:
    if path.suffix.lower() == _ZIP and path.is_file():
        raise BadInputError(
            f"`reproduce` must be a folder, but {path} is an archive: unzip it, and give its folder"
        )
    campaign: str | None = None
    whole = False
    if (path / "campaign.json").is_file() and path.parent == campaigns_folder(path.parent.parent):
        results, campaign = path.parent.parent, path.name
        runs = list(list_runs(results))
    else:
        place = named_place(given, _MODULE, "reproduce")
        if place.results is None:
            raise CommandError(place.fault("reproduce", _MODULE))
        results = place.results
        whole = place.run is None
        runs = list(list_runs(results)) if place.run is None else [place.run]
    found: list[Original] = []
    left: list[LeftOut] = []
    if campaign is not None or whole:
        left += [
            LeftOut(run_id=closed.run_id, reason=f"its folder cannot be read: {closed.reason}")
            for closed in closed_runs(results)
        ]
    doubts: dict[str, None] = {}
    for index, run in enumerate(runs):
        tell(f"hashing sealed runs: {index} of {len(runs)}")
        try:
            original = _read(run, campaign)
        except _UNREADABLE as error:
            said = " ".join(str(error).split()) or type(error).__name__
            left.append(LeftOut(run_id=run.run_id, reason=f"cannot be read: {said}"))
            continue
        if isinstance(original, Original):
            found.append(_with_signer(original, allowed, doubts))
        elif original is not None:
            left.append(original)
    ids = {run.run_id for run in runs} if campaign is None else {r.spec.run_id for r in found}
    _require_roots(results, None if whole else ids, allowed, doubts)
    return Originals(
        path=path,
        results=results,
        runs=tuple(found),
        left_out=tuple(left),
        doubts=tuple(doubts),
    )


def _with_signer(original: Original, allowed: Path | None, doubts: dict[str, None]) -> Original:
    """The run with who signed it.

    Raises:
        CommandError: its signature is not its seal's, or nobody's who is allowed.
    """
    attempt = original.paths.sealed()
    assert attempt is not None
    run_id = original.spec.run_id
    if not key_signatures(attempt.seal):
        if allowed is not None:
            raise _forged(f"{run_id} is not signed, though allowed signers were named")
        return original
    try:
        at_us = int(read_json(attempt.seal)["sealed_us"])
        data = read_plain(attempt.seal, most_bytes=JSON_BYTES.most)
        signer, *_ = signers_of(attempt.seal, data, Allowed(ssh_signers=allowed), at_us)
    except SigningError as error:
        if allowed is not None:
            raise CommandError(str(error), ExitCode.FAILED) from error
        doubts[f"signatures could not be looked at: {error}"] = None
        return original
    except _UNREADABLE as error:
        raise _forged(f"{run_id}: {error}") from error
    return replace(original, signer=signer.principal or signer.key)


def _require_roots(
    results: Path, run_ids: Collection[str] | None, allowed: Path | None, doubts: dict[str, None]
) -> None:
    """Hold the folder against the roots that it keeps.

    Args:
        results: the results folder.
        run_ids: the runs that are looked at; None for all.
        allowed: whose signatures count; None asks for none.
        doubts: gets the sealed runs that are gone.

    Raises:
        CommandError: a root is not that of its seals, or a seal not that which it was taken of.
    """
    for path in list_roots(results):
        try:
            root = Root.read(path)
            faults = root.faults(results)
            data = read_plain(path, most_bytes=JSON_BYTES.most)
            signers_of(path, data, Allowed(ssh_signers=allowed), root.taken_us)
        except SigningError as error:
            doubts[f"signatures could not be looked at: {error}"] = None
            continue
        except _UNREADABLE as error:
            raise _forged(str(error)) from error
        # What cannot be read is left out by that reason; nobody knows that it is gone.
        closed = {run.run_id for run in closed_runs(results)}
        for fault in faults:
            run_id = fault.partition("/")[0]
            if run_id in closed or (run_ids is not None and run_id not in run_ids):
                continue
            if ": changed since" in fault:
                raise _forged(fault)
            doubts[f"{run_id} was sealed when a root was taken, and is gone"] = None


def _forged(why: str) -> CommandError:
    return CommandError(
        f"`reproduce` must be a record as its maker sealed it, but {' '.join(why.split())}: "
        "nothing was begun",
        ExitCode.FAILED,
    )


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
        cluster=_cluster(attempt),
    )


def _cluster(attempt: AttemptPaths) -> str | None:
    if not attempt.submitted.is_file():
        return None
    submitted = read_json(attempt.submitted)
    return named_cluster(
        submitted.get("slurm_cluster"), submitted.get("cluster"), submitted.get("host")
    )


def named_cluster(slurm: object, name: object, host: object) -> str | None:
    """A cluster by Slurm's own name of it, else by its name in conf/cluster and the machine's.

    Two sites may have a file of one name; None where none of them is known.
    """
    if slurm:
        return str(slurm)
    return f"{name} on {host}" if name and host else (str(name) if name else None)


def _campaign(attempt: AttemptPaths) -> str | None:
    """The call of the launcher that made an attempt; None where its record does not say."""
    if not attempt.submitted.is_file():
        return None
    submitted = read_json(attempt.submitted)
    if isinstance(named := submitted.get("campaign"), str):
        return named
    folder = submitted.get("folder")
    return Path(folder).parent.name if isinstance(folder, str) else None
