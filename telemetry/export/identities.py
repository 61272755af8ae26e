"""Identities: who and where a record names, found by what its files are.

A name that stands in a field of names is then looked for everywhere: in texts, paths and keys too.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from telemetry.export.pseudonyms import NameKind

_KEYS: Final[Mapping[NameKind, tuple[str, ...]]] = {
    NameKind.USER: (
        *("user", "author", "author_name", "committer", "email", "author_email", "owner", "group"),
        *("SLURM_JOB_USER", "SLURM_JOB_GROUP", "User", "Group", "LOGNAME", "USER", "principal"),
    ),
    NameKind.HOST: (
        *("host", "submit_host", "reference_host", "hostname", "node", "nodes", "by_host"),
        *("SLURMD_NODENAME", "SLURM_SUBMIT_HOST", "SLURM_SRUN_COMM_HOST", "SLURM_NODELIST"),
        *("SLURM_JOB_NODELIST", "SLURM_STEP_NODELIST", "NodeList", "HOSTNAME"),
    ),
    NameKind.GPU: ("uuid", "gpu_uuid", "gpu_uuids"),
    NameKind.SERIAL: ("serial", "board_serial", "board_id"),
    NameKind.PCI: ("pci_bus_id", "pci"),
    NameKind.CLUSTER: ("slurm_cluster", "SLURM_CLUSTER_NAME", "Cluster"),
    NameKind.ACCOUNT: ("account", "SLURM_JOB_ACCOUNT", "Account"),
    NameKind.PARTITION: (
        *("partition", "closing_partition", "SLURM_JOB_PARTITION", "Partition"),
        *("reservation", "SLURM_JOB_RESERVATION"),
    ),
    NameKind.QOS: ("qos", "SLURM_JOB_QOS", "QOS"),
    NameKind.JOB_NAME: ("SLURM_JOB_NAME", "JobName"),
    NameKind.JOB: (
        *("job_id", "closing_job_id", "array_job_id", "SLURM_JOB_ID", "SLURM_JOBID"),
        *("SLURM_ARRAY_JOB_ID", "JobID", "JobIDRaw"),
    ),
    NameKind.NUMBER: ("uid", "gid", "SLURM_JOB_UID", "SLURM_JOB_GID"),
    NameKind.ADDRESS: ("address", "SLURM_LAUNCH_NODE_IPADDR", "SLURM_TOPOLOGY_ADDR"),
}
_KIND_OF: Final = {key: kind for kind, keys in _KEYS.items() for key in keys}
# What `scontrol show job` prints.
_SCONTROL: Final = (
    (NameKind.USER, re.compile(r"\b(?:UserId|GroupId)=([^\s(]+)\(")),
    (NameKind.NUMBER, re.compile(r"\b(?:UserId|GroupId)=[^\s(]+\((\d+)\)")),
    (NameKind.USER, re.compile(r"\bMailUser=(\S+)")),
    (NameKind.HOST, re.compile(r"\b(?:NodeList|BatchHost|Nodes|AllocNode:Sid)=([^\s:]+)")),
    (NameKind.ACCOUNT, re.compile(r"\bAccount=(\S+)")),
    (NameKind.PARTITION, re.compile(r"\b(?:Partition|Reservation)=(\S+)")),
    (NameKind.QOS, re.compile(r"\bQOS=(\S+)")),
    (NameKind.JOB, re.compile(r"\b(?:JobId|ArrayJobId)=(\d+)")),
    (NameKind.JOB_NAME, re.compile(r"\bJobName=(\S+)")),
)
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IPV4: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_GPU: Final = re.compile(
    r"(?:GPU|MIG)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I
)
# The part of a path below these is a person's or a project's.
_OWNED: Final = re.compile(
    r"/(?:home|users|Users|scratch|project|projects|work|gpfs|lustre|data)/([^/\s:=,\"']{3,})"
)
_NOT_NAMES: Final = frozenset(
    {
        *("", "none", "None", "null", "(null)", "N/A", "n/a", "unknown", "Unknown", "localhost"),
        *("None assigned", "0", "1", "all", "any", "normal", "auto", "true", "false"),
    }
)
_LISTED: Final = re.compile(r"[\w.-]*\[[\d,-]+\][\w.-]*(?:\[[\d,-]+\])?")


@dataclass(frozen=True)
class Identities:
    """Names, and what each is of; the first that says decides."""

    kinds: dict[str, NameKind] = field(default_factory=dict)
    """Kind by name."""
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What each short list of nodes, such as n[1-2], is written out."""

    def add(self, kind: NameKind, value: str) -> None:
        """Take a name in; of a host its short name and its domain too."""
        value = value.strip()
        if value in _NOT_NAMES:
            return
        if kind is NameKind.HOST:
            self._add_hosts(value)
            return
        if kind is NameKind.JOB:
            value = value.partition(".")[0].partition("_")[0].partition("+")[0]
            if not value.isdecimal():
                return
        if kind is NameKind.NUMBER and (not value.isdecimal() or int(value) == 0):
            return
        if kind is NameKind.GPU and not _GPU.fullmatch(value):
            # A simulated one's name has its host's in it.
            return
        self.kinds.setdefault(value, kind)

    def _add_hosts(self, value: str) -> None:
        for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", value):
            names = _written_out(part)
            if len(names) > 1 or "[" in part:
                self.lists[part] = tuple(names)
            for name in names:
                short, dot, domain = name.partition(".")
                if name in _NOT_NAMES or _IPV4.fullmatch(name):
                    continue
                self.kinds.setdefault(short, NameKind.HOST)
                if dot:
                    self.kinds.setdefault(domain, NameKind.DOMAIN)

    def look_at(self, content: object, key: str = "") -> None:
        """Take in every name of a JSON value."""
        if isinstance(content, dict):
            for name, value in content.items():
                if key in ("hosts", "clocks") and name not in ("host",):
                    self.add(NameKind.HOST, name)
                # Versions are written as addresses are.
                if name != "packages":
                    self.look_at(value, name)
        elif isinstance(content, list):
            for value in content:
                self.look_at(value, key)
        elif isinstance(content, str):
            kind = _KIND_OF.get(key)
            if kind is not None:
                self.add(kind, content)
            self.look_at_text(content, slurm=key == "scontrol_show_job")
        elif isinstance(content, int) and not isinstance(content, bool) and key in ("uid", "gid"):
            self.add(NameKind.NUMBER, str(content))

    def look_at_text(self, text: str, *, slurm: bool = False) -> None:
        """Take in what is a name wherever it stands: GPUs, addresses, owners of paths."""
        for one in _GPU.findall(text):
            self.add(NameKind.GPU, one)
        for one in _EMAIL.findall(text):
            self.add(NameKind.USER, one)
        for one in _IPV4.findall(text):
            if one.count(".") == 3 and not one.startswith(("127.", "0.")) and _is_address(one):  # noqa: PLR2004
                self.add(NameKind.ADDRESS, one)
        for one in _OWNED.findall(text):
            self.add(NameKind.USER, one)
        if slurm:
            for kind, pattern in _SCONTROL:
                for one in pattern.findall(text):
                    self.add(kind, one)

    def listed(self) -> Iterator[tuple[str, NameKind]]:
        """Every name with its kind, the longest first: one may be part of another."""
        yield from sorted(self.kinds.items(), key=lambda one: (-len(one[0]), one[0]))


def kind_of(key: str) -> NameKind | None:
    """What a field of that name holds the name of; None for any other."""
    return _KIND_OF.get(key)


def _is_address(text: str) -> bool:
    """Whether four numbers are an address and no version."""
    parts = [int(part) for part in text.split(".")]
    private = parts[0] in (10, 192) or (parts[0] == 172 and 16 <= parts[1] < 32)  # noqa: PLR2004
    return all(part < 256 for part in parts) and (private or parts[0] > 99)  # noqa: PLR2004


def _written_out(part: str) -> list[str]:
    match = re.fullmatch(r"([\w.-]*)\[([\d,-]+)\](.*)", part)
    if match is None:
        return [part]
    names = []
    for piece in match[2].split(","):
        first, _, last = piece.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            # As many nodes as a list may be long are no job's.
            numbers = range(int(first), min(int(last or first), int(first) + 10_000) + 1)
            names += [f"{match[1]}{number:0{len(first)}}" for number in numbers]
    return [name + tail for name in names for tail in _written_out(match[3] or "")]
