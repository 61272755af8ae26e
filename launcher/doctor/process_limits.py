"""Process limits: what this shell, its container and its machine let a process have."""

import locale
import os
import re
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from launcher.doctor.examination import Probe
from launcher.doctor.observation import Observation, elsewhere, missing, there
from launcher.doctor.situation import Situation

_OPEN_FILES: Final = "A rank that opens more files fails; NCCL opens several for each of its peers."
_JITTER: Final = "Ranks are held back by the container's quota: times and joules are its own."
_KILLED: Final = "A rank that takes more is killed by the kernel."
# Linux' usual soft limit, which is what everything here was tried with.
_LEAST_FILES: Final = 1024
# Docker's default; NCCL asks for a buffer of several MB for each pair of ranks on a node.
_SMALL_SHM_BYTES: Final = 64 << 20
# A rank's Python with torch loaded.
_LEAST_MEMORY_BYTES: Final = 4 << 30
# A limit of a page-rounded 2**63 is cgroup v1's word for none.
_NO_LIMIT: Final = 1 << 60
_AVAILABLE: Final = re.compile(r"^MemAvailable:\s+(\d+) kB", re.MULTILINE)
_UMASK: Final = re.compile(r"^Umask:\s+([0-7]+)", re.MULTILINE)


def probes(situation: Situation) -> list[Probe]:
    """Encoding, rights of new files, limits, cores and memory."""
    return [
        Probe(name="encoding", look=encoding, costs="Names may be shown as escapes."),
        Probe(name="umask", look=umask, costs="Nobody can read the record."),
        Probe(name="limits", look=lambda: limits(situation), costs=_OPEN_FILES),
        Probe(name="cores", look=cores, costs=_JITTER),
        Probe(name="memory", look=memory, costs=_KILLED),
        Probe(name="shared-memory", look=shared_memory, costs="NCCL cannot start on several GPUs."),
    ]


def encoding(files: str | None = None) -> Sequence[Observation]:
    """What names of files are encoded in; output that a terminal cannot show is spelt."""
    files = files or sys.getfilesystemencoding()
    told = f"names of files {files}, texts {locale.getpreferredencoding(False)}"
    told += f", LANG={os.environ.get('LANG', '')}, LC_ALL={os.environ.get('LC_ALL', '')}"
    if files.lower().replace("-", "") != "utf8":
        costs = "Folders whose names have other letters than ASCII cannot be opened; numbers stand."
        return [missing("encoding", told, costs=costs, remedy="export LC_ALL=C.UTF-8")]
    return [there("encoding", told)]


def umask(status: Path = Path("/proc/self/status")) -> Sequence[Observation]:
    """Rights that new files lose."""
    match = _UMASK.search(status.read_text())
    if match is None:
        raise RuntimeError(f"{status} tells no umask")
    mask = int(match[1], 8)
    if mask & 0o700:
        remedy = "umask 027"
        costs = "The record cannot be read by whoever wrote it."
        return [missing("umask", f"{mask:04o}", costs=costs, remedy=remedy, stops=True)]
    who = "group" if not mask & 0o050 else "nobody else"
    return [there("umask", f"{mask:04o}: records may be read by their owner and {who}")]


def limits(
    situation: Situation, infiniband: Path = Path("/sys/class/infiniband")
) -> Sequence[Observation]:
    """What the shell lets a process have; a job may have others."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    told = f"{_count(files)} open files"
    found = [
        there("open-files", told)
        if files == resource.RLIM_INFINITY or files >= _LEAST_FILES
        else missing("open-files", told, costs=_OPEN_FILES, remedy="ulimit -n 65536")
    ]
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    told = f"{_count(locked, 1024, ' KiB')} locked memory"
    if not infiniband.is_dir():
        found.append(elsewhere("locked-memory", f"{told}; no InfiniBand is here"))
    elif locked == resource.RLIM_INFINITY:
        found.append(there("locked-memory", told))
    else:
        costs = "NCCL cannot register buffers with InfiniBand: runs of several nodes fail."
        remedy = "memlock unlimited in limits.conf and for slurmd (LimitMEMLOCK=infinity)"
        found.append(missing("locked-memory", told, costs=costs, remedy=remedy))
    seconds = resource.getrlimit(resource.RLIMIT_CPU)[0]
    told = f"CPU time of a process {_count(seconds, word=' s')}"
    if seconds == resource.RLIM_INFINITY or situation.login:
        found.append(there("cpu-time", f"{told}; ranks run in jobs" if situation.login else told))
    else:
        costs = "The kernel ends a rank that has used so much."
        remedy = "measure in a job, or ulimit -t unlimited"
        found.append(missing("cpu-time", told, costs=costs, remedy=remedy))
    return found


def cores(root: Path = Path("/")) -> Sequence[Observation]:
    """Cores that this process may run on, and the container's quota of them."""
    mine, all_of_them = len(os.sched_getaffinity(0)), os.cpu_count() or 1
    told = f"{mine} of {all_of_them} cores"
    quota = cpu_quota(root)
    if quota is not None and quota < mine:
        remedy = "docker --cpus, or the pod's CPU limit: as many as cores"
        found = f"{told}, but a quota of {quota:g} cores' time"
        return [missing("cores", found, costs=_JITTER, remedy=remedy)]
    return [there("cores", f"{told}, no quota below them")]


def memory(root: Path = Path("/")) -> Sequence[Observation]:
    """Memory that is free, and the container's limit of it."""
    match = _AVAILABLE.search((root / "proc/meminfo").read_text())
    if match is None:
        raise RuntimeError("/proc/meminfo tells no MemAvailable")
    free = int(match[1]) * 1024
    most = memory_limit(root)
    told = f"{free / 2**30:.1f} GiB available"
    told += ", no limit of a container" if most is None else f", a limit of {most / 2**30:.1f} GiB"
    if min(free, most or free) < _LEAST_MEMORY_BYTES:
        costs = "A rank with torch takes 4 GiB: one that finds less is killed by the kernel."
        return [missing("memory", told, costs=costs, remedy="a larger limit, or another machine")]
    return [there("memory", told)]


def shared_memory(folder: Path = Path("/dev/shm")) -> Sequence[Observation]:  # noqa: S108
    """Room for what ranks of one node share."""
    told = os.statvfs(folder)
    size = told.f_blocks * told.f_frsize
    found = f"{folder} of {size / 2**20:.0f} MiB"
    if size <= _SMALL_SHM_BYTES:
        costs = "NCCL cannot share buffers: points of several GPUs on a node fail; one GPU stands."
        remedy = "docker --shm-size=8g or --ipc=host, or a larger /dev/shm"
        return [missing("shared-memory", found, costs=costs, remedy=remedy)]
    return [there("shared-memory", found)]


def cpu_quota(root: Path) -> float | None:
    """Cores' time that control groups let this process have; None for any."""
    quotas = []
    for folder in _groups(root, "cpu"):
        text = _text(folder / "cpu.max").split()
        if not text:
            text = [_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")]
        if len(text) == 2 and all(word.isdecimal() for word in text) and int(text[1]):  # noqa: PLR2004
            quotas.append(int(text[0]) / int(text[1]))
    return min(quotas, default=None)


def memory_limit(root: Path) -> int | None:
    """Bytes that control groups let this process have; None for any."""
    found = []
    for folder in _groups(root, "memory"):
        text = _text(folder / "memory.max") or _text(folder / "memory.limit_in_bytes")
        if text.isdecimal() and int(text) < _NO_LIMIT:
            found.append(int(text))
    return min(found, default=None)


def _groups(root: Path, controller: str) -> list[Path]:
    """The folders of this process' groups that hold a controller, each with all above it.

    cgroups(7): `0::/path` in version 2, `4:cpu,cpuacct:/path` in version 1. A container may see
    its own group as the root, and its path as one that is not there.
    """
    mounted = root / "sys/fs/cgroup"
    found: list[Path] = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            top = mounted
        elif controller in names.split(","):
            top = mounted / names
            top = top if top.is_dir() else mounted / controller
        else:
            continue
        folder = top / path.lstrip("/")
        while folder.is_relative_to(top):
            found.append(folder)
            folder = folder.parent
    return found


def _count(value: int, unit: int = 1, word: str = "") -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else f"{value // unit}{word}"


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
