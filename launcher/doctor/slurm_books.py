"""Slurm books: accounting, and what this user's association and quality of service allow."""

from collections.abc import Mapping, Sequence
from typing import Final

from launcher.doctor.examination import Probe
from launcher.doctor.observation import Observation, missing, there, unseen
from launcher.doctor.situation import Situation
from launcher.doctor.slurm_site import PATIENCE_S, site_settings, user
from launcher.slurm.queue import SlurmError, ask_slurm

_ENDS: Final = (
    "How a job ended is asked of the controller, which forgets it after MinJobAge; one that was "
    "killed without a word may stay unknown, and slurm_accounting.json is null."
)
_LIMITS: Final = "A job may be refused, or wait for ever."
_ASSOCIATION: Final = (
    *("Account", "Partition", "QOS", "DefaultQOS", "GrpJobs", "GrpSubmitJobs", "GrpTRES"),
    *("MaxJobs", "MaxSubmitJobs", "MaxWall", "MaxTRES"),
)
_QOS: Final = (
    *("Name", "MaxWall", "MaxTRES", "MaxJobsPerUser", "MaxSubmitJobsPerUser", "MaxTRESPerUser"),
)
# An array's element and the job that merges and seals after it.
_LEAST_SUBMIT: Final = 2


def probes(situation: Situation) -> list[Probe]:
    """Accounting, the user's association and the quality of service; none off Slurm."""
    if not situation.slurm:
        return []
    return [
        Probe(name="slurm-accounting", look=accounting, costs=_ENDS, patience_s=15.0),
        Probe(
            name="slurm-association",
            look=lambda: association(situation),
            costs=_LIMITS,
            patience_s=30.0,
        ),
    ]


def accounting() -> Sequence[Observation]:
    """Whether sacct answers."""
    command = ["sacct", "--noheader", "--allocations", "--parsable2", "--starttime=now-1hours"]
    try:
        text = ask_slurm([*command, "--format=JobID"], PATIENCE_S)
    except SlurmError as error:
        # Any other word is of an accounting that is there, and does not answer or is not reached.
        if "disabled" not in str(error):
            return [unseen("slurm-accounting", str(error), costs=_ENDS)]
        remedy = "slurmdbd, and AccountingStorageType=accounting_storage/slurmdbd in slurm.conf"
        return [missing("slurm-accounting", str(error), costs=_ENDS, remedy=remedy)]
    count = len(text.splitlines())
    return [there("slurm-accounting", f"sacct answers: {count} jobs of {user()} in the last hour")]


def association(situation: Situation) -> Sequence[Observation]:
    """What the user's association and its qualities of service allow."""
    who = user()
    rows = _rows(["show", "assoc", "where", f"user={who}"], _ASSOCIATION)
    try:
        enforced = site_settings().get("AccountingStorageEnforce", "")
    except SlurmError as error:
        return [unseen("slurm-association", str(error), costs=_LIMITS)]
    if situation.account is not None:
        rows = [row for row in rows if row["Account"] == situation.account]
    named = "" if situation.account is None else f" to account {situation.account}"
    if not rows and "associations" in enforced:
        return [
            missing(
                "slurm-association",
                f"{who} has no association{named}, and Slurm asks for one",
                costs="No job can be queued.",
                remedy=f"sacctmgr add user {who} account=NAME, or account: in the cluster's file",
                stops=True,
            )
        ]
    if not rows:
        return [there("slurm-association", f"{who} has none{named}, and Slurm asks for none")]
    told = "; ".join(_told(row) for row in rows)
    few = [row for row in rows if _below(row["MaxSubmitJobs"]) or _below(row["GrpSubmitJobs"])]
    if len(few) == len(rows):
        costs = "The job that merges and seals is refused: the next launcher call does its work."
        remedy = "a larger MaxSubmitJobs: one job a point and one for each shape"
        found = [missing("slurm-association", told, costs=costs, remedy=remedy)]
    else:
        found = [there("slurm-association", told)]
    names = sorted({name for row in rows for name in row["QOS"].split(",") if name})
    qualities = [row for row in _rows(["show", "qos"], _QOS) if row["Name"] in names]
    if situation.qos is not None and situation.qos not in names:
        found.append(
            missing(
                "slurm-qos",
                f"the cluster's file names {situation.qos}; {who} may use {', '.join(names)}",
                costs="No job can be queued.",
                remedy="another qos in the cluster's file",
                stops=True,
            )
        )
    else:
        found.append(there("slurm-qos", "; ".join(_told(row) for row in qualities) or "none"))
    return found


def _rows(words: Sequence[str], columns: Sequence[str]) -> list[Mapping[str, str]]:
    command = ["sacctmgr", "--noheader", "--parsable2", *words, f"format={','.join(columns)}"]
    lines = ask_slurm(command, PATIENCE_S).splitlines()
    cells = [line.split("|") for line in lines]
    return [dict(zip(columns, row, strict=True)) for row in cells if len(row) == len(columns)]


def _told(row: Mapping[str, str]) -> str:
    """What a row says, without what it leaves open."""
    first, *rest = row.items()
    limits = [f"{key} {value}" for key, value in rest if value]
    return f"{first[1]}: {', '.join(limits) or 'no limit'}"


def _below(text: str) -> bool:
    return text.isdecimal() and int(text) < _LEAST_SUBMIT
