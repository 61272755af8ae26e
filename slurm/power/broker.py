"""Broker: power caps and clock locks for jobs without root, as prolog and epilog of Slurm.

Root starts it as `/usr/bin/python3 -I -S`, and it takes nothing of its environment. What a user can
say to it is one word of the job's comment: docs/power_broker.md has its grammar, what is
remembered, what is refused and what it withstands. Standard library alone, Python 3.9 or later.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import fcntl
import json
import os
import re
import select
import stat
import subprocess
import sys
import syslog
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

WISHES: Final = "joulegrid-power:"
"""What a comment begins with that holds a wish."""
# What Slurm itself takes, seen with 22.05; a wish has 50, a head that is lodged after it 120.
MOST_COMMENT_BYTES: Final = 1024
FOLDER: Final = "/var/lib/joulegrid-power"
"""Where the state and the log lie; root's alone."""
# Where the driver's packages put it on Debian and on Red Hat.
LIBRARIES: Final = (
    "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    "/usr/lib64/libnvidia-ml.so.1",
    "/usr/lib/aarch64-linux-gnu/libnvidia-ml.so.1",
)
STATE: Final = "state.json"
LOG: Final = "log"
# 64 boards of 200 bytes are less; what is longer was not written here.
_MOST_STATE_BYTES: Final = 64 * 1024
# An array of 10,001 elements has a row of 60 bytes each.
_MOST_ANSWER_BYTES: Final = 2 * 1024 * 1024
# A job waits for its prolog: ten seconds for each of three questions at most.
_PATIENCE_S: Final = 10.0
# Another prolog or epilog of this node holds the lock for as long as it asks.
_LOCK_PATIENCE_S: Final = 25.0
_MOST_GPUS: Final = 64
# No board draws 100 kW; a larger number was not written here.
_MOST_MW: Final = 100_000_000
# [0-9] is ten signs; \d would be hundreds.
_SETTING: Final = re.compile(r"(cap_w|sm_mhz|mem_mhz)=([1-9][0-9]{0,4})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_JOB: Final = re.compile(r"[1-9][0-9]{0,9}")
_NODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MINORS: Final = re.compile(r"[0-9]{1,3}(,[0-9]{1,3}){0,63}")
_CLOCKS: Final = re.compile(r"reset|[1-9][0-9]{2,3}-[1-9][0-9]{2,3}")
_UUID: Final = re.compile(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BOOT: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_START: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
# What squeue prints for _ROW_FORMAT: no field of it is a user's to choose.
_ROW_FORMAT: Final = "%A|%F|%K|%U|%h|%t|%S"
_ROW: Final = re.compile(
    r"([0-9]+)\|([0-9]+)\|([^|]*)\|([0-9]+)\|([A-Z]+)\|([A-Z]{1,3})\|([^|]*)", re.ASCII
)
# nvml.h of CUDA 12: nvmlReturn_t and nvmlClockType_t.
_OK, _NOT_SUPPORTED, _TOO_SMALL = 0, 3, 7


class RefusedError(Exception):
    """What was asked is not done; the message is one line, and holds no word of a user's."""


class DamagedError(RefusedError):
    """What is remembered cannot be read; an administrator must look."""


@dataclass(frozen=True)
class Wish:
    """What a job wishes for each of its GPUs."""

    cap_w: int | None = None
    """Power cap in watts; None where none is wished."""
    sm_mhz: int | None = None
    """Clock of graphics and SMs to be locked to, in MHz; None where none is wished."""
    mem_mhz: int | None = None
    """Memory clock to be locked to, in MHz; None where none is wished."""


@dataclass(frozen=True)
class Gpu:
    """What was set on a board, and what stood there before."""

    uuid: str
    """The board's UUID, by which it is found again."""
    cap_before_mw: int | None
    """The power limit that was found, in mW; None where no cap is set."""
    cap_set_mw: int | None
    """The power limit that is set, in mW; None where none is."""
    sm_set_mhz: int | None
    """The clock that graphics and SMs are locked to, in MHz; None where none is."""
    mem_set_mhz: int | None
    """The clock that memory is locked to, in MHz; None where none is."""


@dataclass(frozen=True)
class State:
    """What is set on this node, for which job, and since which boot."""

    boot_id: str
    """The kernel's; values on a card do not outlive the boot they were set in."""
    job_id: int
    """The job whose wish it is."""
    job_start: str
    """When it began by Slurm, UTC: numbers are given out again, and one requeued keeps its own."""
    uid: int
    """The job's user."""
    clocks: str | None
    """What to put back where a clock was locked: `reset`, or LOW-HIGH in MHz; None: none was."""
    gpus: tuple[Gpu, ...]
    """The job's boards on this node."""

    def pack(self) -> bytes:
        """As it lies on disk."""
        return (json.dumps({"format": 1, **asdict(self)}, indent=1) + "\n").encode()


@dataclass(frozen=True)
class Job:
    """A job as Slurm's queue has it."""

    job_id: int
    """Its own number, an array's element's too."""
    name: str
    """What Slurm's commands know it by alone: an array's element by two numbers, such as 7_1."""
    uid: int
    """Its user."""
    whole: bool
    """True when it shares its nodes with nobody."""
    state: str
    """Slurm's short word, such as R or CG."""
    start: str
    """When it began, UTC, or Slurm's word that it did not."""


def parse_wish(comment: bytes) -> Wish | None:
    """The wish in a job's comment; None where it holds none.

    Raises:
        RefusedError: it begins as a wish and is none.
    """
    if not comment.startswith(WISHES.encode()):
        return None
    if len(comment) > MOST_COMMENT_BYTES:
        raise RefusedError(
            f"a comment with a wish must have at most {MOST_COMMENT_BYTES} bytes, but has "
            f"{len(comment)} instead"
        )
    try:
        text = comment.decode("utf-8")
    except UnicodeDecodeError:
        raise RefusedError("a comment with a wish must be UTF-8, but is not") from None
    if _CONTROL.search(text):
        raise RefusedError("a comment with a wish must be one line without control characters")
    found: dict[str, int] = {}
    for place, word in enumerate(text[len(WISHES) :].split(" ", 1)[0].split(","), start=1):
        setting = _SETTING.fullmatch(word)
        if setting is None:
            raise RefusedError(
                f"setting {place} of the wish must be cap_w, sm_mhz or mem_mhz, `=` and a whole "
                "number from 1 to 99999, but is not"
            )
        if setting[1] in found:
            raise RefusedError(f"`{setting[1]}` must be wished once, but is wished twice")
        found[setting[1]] = int(setting[2])
    return Wish(**found)


def parse_rows(answer: bytes) -> list[Job]:
    """The jobs in squeue's answer for `_ROW_FORMAT`.

    Raises:
        RefusedError: it is no such answer.
    """
    try:
        lines = answer.decode("ascii").splitlines()
    except UnicodeDecodeError:
        raise RefusedError("squeue's answer must be ASCII, but is not") from None
    jobs = []
    for line in lines:
        row = _ROW.fullmatch(line)
        if row is None or len(row[1]) > 10 or len(row[2]) > 10 or len(row[4]) > 10:  # noqa: PLR2004 (32 bits)
            raise RefusedError("squeue's answer must be rows of seven fields, but is not")
        element = row[3] if re.fullmatch(r"[0-9]{1,9}", row[3]) else None
        jobs.append(
            Job(
                job_id=int(row[1]),
                name=row[1] if element is None else f"{row[2]}_{element}",
                uid=int(row[4]),
                whole=row[5] == "NO",
                state=row[6],
                start=row[7],
            )
        )
    return jobs


def parse_state(raw: bytes) -> State:
    """What is remembered.

    Raises:
        DamagedError: it is not what was written here.
    """
    try:
        told = json.loads(raw.decode("ascii"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise DamagedError(f"`{STATE}` must be JSON as it was written here, but is not") from None
    keys = {"format", "boot_id", "job_id", "job_start", "uid", "clocks", "gpus"}
    boards = told.get("gpus") if isinstance(told, dict) and told.keys() == keys else None
    if not (
        isinstance(boards, list)
        and 0 < len(boards) <= _MOST_GPUS
        and told["format"] == 1
        and _is_text(told["boot_id"], _BOOT)
        and _is_text(told["job_start"], _START)
        and (told["clocks"] is None or _is_text(told["clocks"], _CLOCKS))
        and _is_whole(told["job_id"], 1, 2**32 - 1)
        and _is_whole(told["uid"], 0, 2**32 - 1)
    ):
        raise DamagedError(f"`{STATE}` must hold a boot, a job and its boards, but does not")
    gpus = tuple(_parse_gpu(board) for board in boards)
    if len({gpu.uuid for gpu in gpus}) != len(gpus):
        raise DamagedError(f"`{STATE}` must name each board once, but names one twice")
    del told["format"]
    return State(**{**told, "gpus": gpus})


def _parse_gpu(told: object) -> Gpu:
    keys = {"uuid", "cap_before_mw", "cap_set_mw", "sm_set_mhz", "mem_set_mhz"}
    if not (
        isinstance(told, dict)
        and told.keys() == keys
        and _is_text(told["uuid"], _UUID)
        and all(told[key] is None or _is_whole(told[key], 1, _MOST_MW) for key in keys - {"uuid"})
        and (told["cap_before_mw"] is None) == (told["cap_set_mw"] is None)
    ):
        raise DamagedError(f"`{STATE}` must hold a board's five values, but does not")
    return Gpu(**told)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys stand once.

    Raises:
        ValueError: one stands twice.
    """
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _is_text(value: object, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _is_whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


class Vault:
    """The folder of the state and the log: root's own in every part of its path, and no link."""

    def __init__(self, path: str) -> None:
        """Open it.

        Raises:
            RefusedError: it is not there, a link, or somebody else's to write in.
        """
        self._folder = _open_folder(path)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Alone on this node; the kernel lets go of it when its holder dies, however.

        Raises:
            RefusedError: another holds it for too long.
        """
        lock = self._open("lock", os.O_RDWR | os.O_CREAT)
        try:
            deadline_s = time.monotonic() + _LOCK_PATIENCE_S
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline_s:
                        raise RefusedError("another prolog or epilog holds the lock") from None
                    time.sleep(0.05)
            yield
        finally:
            os.close(lock)

    def read_state(self) -> State | None:
        """What is remembered; None where nothing is.

        Raises:
            DamagedError: what lies there was not written here.
        """
        try:
            file = self._open(STATE, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except RefusedError as error:
            raise DamagedError(str(error)) from None
        try:
            raw = b""
            while len(raw) <= _MOST_STATE_BYTES and (part := os.read(file, _MOST_STATE_BYTES + 1)):
                raw += part
        finally:
            os.close(file)
        if len(raw) > _MOST_STATE_BYTES:
            raise DamagedError(f"`{STATE}` must have at most {_MOST_STATE_BYTES} bytes")
        return parse_state(raw)

    def write_state(self, state: State) -> None:
        """Remember it: on disk, whole, when this returns.

        Raises:
            OSError: it cannot be; what was remembered before still is.
        """
        fresh = f".{STATE}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=self._folder)
        file = self._open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            _write_all(file, state.pack())
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(fresh, STATE, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        os.fsync(self._folder)

    def forget_state(self) -> None:
        """Remember nothing any more; there may be nothing.

        Raises:
            OSError: it cannot be removed.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(STATE, dir_fd=self._folder)
        os.fsync(self._folder)

    def log(self, line: str) -> None:
        """Append a line to the log.

        Raises:
            OSError: it takes none.
            RefusedError: the log is a link, or somebody else's.
        """
        file = self._open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            _write_all(file, f"{line}\n".encode())
        finally:
            os.close(file)

    def _open(self, name: str, flags: int) -> int:
        # O_NONBLOCK: a pipe that lies there would wait for its other end.
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            file = os.open(name, flags, 0o600, dir_fd=self._folder)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise RefusedError(f"`{name}` must be a plain file, but is none") from None
            raise
        about = os.fstat(file)
        if not (
            stat.S_ISREG(about.st_mode)
            and about.st_uid == os.geteuid()
            and not about.st_mode & 0o077
            and about.st_nlink == 1
        ):
            os.close(file)
            raise RefusedError(f"`{name}` must be a plain file of root's alone, but is none")
        return file


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _open_folder(path: str) -> int:
    parts = path.strip("/").split("/")
    if not path.startswith("/") or not all(parts) or {".", ".."} & set(parts):
        raise RefusedError("`--folder` must be a full path without `.` and `..`")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    folder = os.open("/", flags)
    for number, part in enumerate(parts, start=1):
        try:
            inner = os.open(part, flags, dir_fd=folder)
        except OSError as error:
            raise RefusedError(
                f"part {number} of `--folder` must be a folder and no link: {error.strerror}"
            ) from None
        finally:
            os.close(folder)
        folder = inner
        about = os.fstat(folder)
        last = number == len(parts)
        # In a sticky folder such as /tmp nobody can put another in the place of root's own.
        open_to_others = about.st_mode & (0o077 if last else 0o022)
        if (open_to_others and (last or not about.st_mode & stat.S_ISVTX)) or (
            about.st_uid not in (0, os.geteuid())
        ):
            os.close(folder)
            raise RefusedError(f"part {number} of `--folder` must be root's alone to write in")
    return folder


def check_trusted(path: str) -> str:
    """The path without links, when root alone can change what lies there.

    Raises:
        RefusedError: somebody else can, or nothing lies there.
    """
    true = os.path.realpath(path)
    owners = (0, os.geteuid())
    part = true
    while True:
        try:
            about = os.lstat(part)
        except OSError as error:
            raise RefusedError(f"{path} cannot be used: {error.strerror}") from None
        sticky = stat.S_ISDIR(about.st_mode) and about.st_mode & stat.S_ISVTX
        if about.st_uid not in owners or (about.st_mode & 0o022 and not sticky):
            raise RefusedError(f"{path} must be root's alone to write")
        if part == "/":
            return true
        part = os.path.dirname(part)  # noqa: PTH120 (pathlib is slow to start with)


class Queue:
    """Slurm's queue: who runs on this node. It is told no word of a user's."""

    def __init__(self, program: str, configuration: str | None) -> None:
        self._program = check_trusted(program)
        self._environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        if configuration is not None:
            self._environment["SLURM_CONF"] = configuration

    def job(self, job_id: int, node: str) -> Job | None:
        """The job, as far as it has this node now; None where it has not.

        Raises:
            RefusedError: Slurm does not answer.
        """
        answer = self._ask("--nodelist", node, "--jobs", str(job_id), "--format", _ROW_FORMAT)
        # An array's number has a row of each element.
        for job in [] if answer is None else parse_rows(answer):
            if job.job_id == job_id:
                return job
        return None

    def comment(self, job: Job) -> bytes:
        """The job's comment, as its user wrote it: whatever is in it, it comes alone.

        Raises:
            RefusedError: Slurm does not answer.
        """
        answer = self._ask("--jobs", job.name, "--format", "%k") or b""
        return answer[:-1] if answer.endswith(b"\n") else answer

    def _ask(self, *words: str) -> bytes | None:
        """What squeue answers; None where it knows no such job."""
        process = subprocess.Popen(
            [self._program, "--noheader", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            cwd="/",
        )
        with process:
            try:
                told, troubles = _read_both(process)
                code = process.wait(_PATIENCE_S)
            except (RefusedError, subprocess.TimeoutExpired):
                process.kill()
                raise RefusedError("Slurm's queue must answer in time and in short") from None
        # A job that is over and forgotten; one that is over and known has no row.
        if code and b"Invalid job id specified" in troubles:
            return None
        if code:
            raise RefusedError(f"squeue must end with 0, but ended with {code} instead")
        return told


def _read_both(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """What a program writes to both its outputs.

    Raises:
        RefusedError: it takes too long, or is too long.
    """
    assert process.stdout is not None and process.stderr is not None  # noqa: PT018
    told = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
    deadline_s = time.monotonic() + _PATIENCE_S
    open_ends = list(told)
    while open_ends:
        left_s = deadline_s - time.monotonic()
        ready, _, _ = select.select(open_ends, [], [], max(0.0, left_s))
        if not ready or sum(map(len, told.values())) > _MOST_ANSWER_BYTES:
            raise RefusedError("no answer in time, or a long one")
        for end in ready:
            part = os.read(end, 65536)
            told[end] += part
            if not part:
                open_ends.remove(end)
    return told[process.stdout.fileno()], told[process.stderr.fileno()]


class Nvml:
    """The driver's library: the few calls that caps and locks need."""

    def __init__(self, path: str | None) -> None:
        """Load and start it.

        Raises:
            RefusedError: it is not there, not root's, or there is no driver.
        """
        found = path or next(filter(os.path.exists, LIBRARIES), None)
        if found is None:
            raise RefusedError(f"the driver's library must be one of {', '.join(LIBRARIES)}")
        try:
            self._library = ctypes.CDLL(check_trusted(found))
        except OSError:
            raise RefusedError(f"{found} cannot be loaded") from None
        self._call("nvmlInit_v2")

    def handle(self, uuid: str) -> ctypes.c_void_p:
        """The board of a UUID.

        Raises:
            RefusedError: it is not there, or lost.
        """
        handle = ctypes.c_void_p()
        self._call("nvmlDeviceGetHandleByUUID", uuid.encode(), ctypes.byref(handle))
        return handle

    def uuids(self) -> dict[int, str]:
        """The UUID of every board that answers, by its minor number, which Slurm counts by.

        Raises:
            RefusedError: two boards answer one number, or the library does not count them.
        """
        count = ctypes.c_uint()
        self._call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        found: dict[int, str] = {}
        for index in range(min(count.value, _MOST_GPUS)):
            handle, minor = ctypes.c_void_p(), ctypes.c_uint()
            text = ctypes.create_string_buffer(96)
            try:
                self._call("nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(handle))
                self._call("nvmlDeviceGetMinorNumber", handle, ctypes.byref(minor))
                self._call("nvmlDeviceGetUUID", handle, text, len(text))
            except RefusedError:
                # One that is lost is refused where a job has it, and is in nobody else's way.
                continue
            uuid = text.value.decode("ascii", "replace")
            if minor.value in found or not _UUID.fullmatch(uuid):
                raise RefusedError("boards must have a minor number and a UUID of their own")
            found[minor.value] = uuid
        return found

    def check_settable(self, handle: ctypes.c_void_p) -> None:
        """See that a value can be set on a board, and that it would stay.

        Raises:
            RefusedError: it is split by MIG, or its driver forgets.
        """
        now, then = ctypes.c_uint(), ctypes.c_uint()
        code = self._code("nvmlDeviceGetMigMode", handle, ctypes.byref(now), ctypes.byref(then))
        if code not in (_OK, _NOT_SUPPORTED) or now.value or then.value:
            raise RefusedError("a board must not be split by MIG, nor be about to, but is")
        if self._number("nvmlDeviceGetPersistenceMode", handle) != 1:
            raise RefusedError("a board's persistence mode must be on, or its driver forgets a cap")

    def limit_mw(self, handle: ctypes.c_void_p) -> int:
        """The power limit that a board was set to."""
        return self._number("nvmlDeviceGetPowerManagementLimit", handle)

    def bounds_mw(self, handle: ctypes.c_void_p) -> tuple[int, int]:
        """The least and the highest power limit of a board."""
        least, most = ctypes.c_uint(), ctypes.c_uint()
        name = "nvmlDeviceGetPowerManagementLimitConstraints"
        self._call(name, handle, ctypes.byref(least), ctypes.byref(most))
        return least.value, most.value

    def set_limit(self, handle: ctypes.c_void_p, limit_mw: int) -> None:
        """Set the power limit of a board, and see that it is so.

        Raises:
            RefusedError: the driver refuses, or reads back another.
        """
        self._call("nvmlDeviceSetPowerManagementLimit", handle, ctypes.c_uint(limit_mw))
        if (now_mw := self.limit_mw(handle)) != limit_mw:
            raise RefusedError(f"the cap must read back as {limit_mw} mW, but is {now_mw} instead")

    def memory_clocks(self, handle: ctypes.c_void_p) -> list[int]:
        """The memory clocks that a board offers, in MHz."""
        return self._list("nvmlDeviceGetSupportedMemoryClocks", handle)

    def sm_clocks(self, handle: ctypes.c_void_p, mem_mhz: int) -> list[int]:
        """The clocks that a board offers its SMs beside a memory clock, in MHz."""
        return self._list("nvmlDeviceGetSupportedGraphicsClocks", handle, ctypes.c_uint(mem_mhz))

    def lock(self, handle: ctypes.c_void_p, what: str, low_mhz: int, high_mhz: int) -> None:
        """Lock the clocks of "Gpu" or "Memory"."""
        name = f"nvmlDeviceSet{what}LockedClocks"
        self._call(name, handle, ctypes.c_uint(low_mhz), ctypes.c_uint(high_mhz))

    def unlock(self, handle: ctypes.c_void_p, what: str) -> None:
        """Let the clocks of "Gpu" or "Memory" go."""
        self._call(f"nvmlDeviceReset{what}LockedClocks", handle)

    def _number(self, name: str, handle: ctypes.c_void_p) -> int:
        value = ctypes.c_uint()
        self._call(name, handle, ctypes.byref(value))
        return value.value

    def _list(self, name: str, handle: ctypes.c_void_p, *words: ctypes.c_uint) -> list[int]:
        # A board offers some hundred clocks.
        room = ctypes.c_uint(1024)
        values = (ctypes.c_uint * room.value)()
        self._call(name, handle, *words, ctypes.byref(room), values)
        return list(values[: room.value])

    def _call(self, name: str, *words: Any) -> None:
        if code := self._code(name, *words):
            raise RefusedError(f"{name} must be granted, but the driver answers {code} instead")

    def _code(self, name: str, *words: Any) -> int:
        try:
            return int(getattr(self._library, name)(*words))
        except AttributeError:
            return _NOT_SUPPORTED


@dataclass(frozen=True)
class Settings:
    """What root says on the command line."""

    node: str
    """This node's name in Slurm."""
    folder: str
    """Where the state and the log lie."""
    library: str | None
    """The driver's library; None for the one in its place."""
    squeue: str
    """Slurm's program."""
    slurm_conf: str | None
    """Slurm's configuration; None for where Slurm itself looks."""
    clocks: str | None
    """What to put back where a clock was locked: `reset`, or the site's LOW-HIGH in MHz; None: no
    lock is granted."""


class Broker:
    """One prolog, epilog or restore, alone on its node."""

    def __init__(self, settings: Settings, vault: Vault) -> None:
        self.settings = settings
        self._vault = vault
        self._said: list[str] = []
        self._nvml: Nvml | None = None

    @property
    def nvml(self) -> Nvml:
        """The driver's library, once it is needed."""
        if self._nvml is None:
            self._nvml = Nvml(self.settings.library)
        return self._nvml

    @property
    def queue(self) -> Queue:
        """Slurm's queue."""
        return Queue(self.settings.squeue, self.settings.slurm_conf)

    def prolog(self, job_id: int, minors: str) -> None:
        """Put back what an earlier job left, then do what this job wishes, or nothing.

        Raises:
            RefusedError: nothing is changed for this job.
        """
        self.settle(job_id)
        job = self.queue.job(job_id, self.settings.node)
        if job is None:
            raise RefusedError("the job must be Slurm's and have this node, but has not")
        wish = parse_wish(self.queue.comment(job))
        if wish is None:
            return
        if not job.whole or job.state not in ("R", "CF") or not _START.fullmatch(job.start):
            raise RefusedError("the job must run and have its node whole (sbatch --exclusive)")
        if self._vault.read_state() is not None:
            raise RefusedError("what an earlier job left must be put back first, but cannot be")
        if not _MINORS.fullmatch(minors):
            raise RefusedError("Slurm must say which GPUs are the job's, but names none")
        self._apply(job, self._plan(wish, {int(minor) for minor in minors.split(",")}))

    def settle(self, job_id: int | None, *, force: bool = False) -> None:
        """Put back what stands, unless it is another job's that still has this node.

        Raises:
            RefusedError: it is, or Slurm does not say.
        """
        state = self._vault.read_state()
        if state is None:
            return
        if state.boot_id != boot_id():
            self.say("lost values of another boot: the boards forgot them with it", state)
            self._forget()
            return
        if state.job_id != job_id and not force:
            owner = self.queue.job(state.job_id, self.settings.node)
            if owner is not None and owner.state != "PD" and owner.start == state.job_start:
                raise RefusedError(f"job {state.job_id} has values here and still has the node")
        self.restore(state)

    def restore(self, state: State) -> None:
        """Put back what a state remembers; what cannot be put back now stays remembered."""
        kept = []
        for gpu in state.gpus:
            try:
                handle = self.nvml.handle(gpu.uuid)
                self._restore_clocks(state, gpu, handle)
                self._restore_cap(state, gpu, handle)
            except RefusedError as error:
                self.say(f"kept: {error}", state, gpu)
                kept.append(gpu)
        if kept:
            with contextlib.suppress(OSError):
                self._vault.write_state(replace(state, gpus=tuple(kept)))
        else:
            self._forget()

    def _restore_cap(self, state: State, gpu: Gpu, handle: ctypes.c_void_p) -> None:
        if gpu.cap_set_mw is None or gpu.cap_before_mw is None:
            return
        now_mw = self.nvml.limit_mw(handle)
        if now_mw == gpu.cap_before_mw:
            return
        if now_mw != gpu.cap_set_mw:
            # Neither what was found nor what was set: somebody with root's rights decided anew.
            was = f"before={gpu.cap_before_mw} set={gpu.cap_set_mw} now={now_mw}"
            self.say(f"left cap_mw {was}", state, gpu)
            return
        self.nvml.set_limit(handle, gpu.cap_before_mw)
        was = f"before={now_mw} asked={gpu.cap_before_mw} now={gpu.cap_before_mw}"
        self.say(f"restored cap_mw {was}", state, gpu)

    def _restore_clocks(self, state: State, gpu: Gpu, handle: ctypes.c_void_p) -> None:
        if gpu.sm_set_mhz is not None:
            clocks = state.clocks or "reset"
            if clocks == "reset":
                self.nvml.unlock(handle, "Gpu")
            else:
                low, _, high = clocks.partition("-")
                self.nvml.lock(handle, "Gpu", int(low), int(high))
            self.say(f"restored sm_mhz before={gpu.sm_set_mhz} asked={clocks} now=?", state, gpu)
        if gpu.mem_set_mhz is not None:
            self.nvml.unlock(handle, "Memory")
            self.say(f"restored mem_mhz before={gpu.mem_set_mhz} asked=reset now=?", state, gpu)

    def _plan(self, wish: Wish, minors: set[int]) -> tuple[Gpu, ...]:
        """What is to be set on which boards, and what stands there.

        Raises:
            RefusedError: one of them cannot, or may not, be set so.
        """
        uuids = self.nvml.uuids()
        if strangers := sorted(minors - uuids.keys()):
            raise RefusedError(
                f"the job's GPUs must be boards of this node, but {strangers} is none"
            )
        planned = []
        for minor in sorted(minors):
            handle = self.nvml.handle(uuids[minor])
            self.nvml.check_settable(handle)
            before_mw = None if wish.cap_w is None else self._check_cap(handle, wish.cap_w)
            self._check_clocks(handle, wish)
            planned.append(
                Gpu(
                    uuid=uuids[minor],
                    cap_before_mw=before_mw,
                    cap_set_mw=None if wish.cap_w is None else wish.cap_w * 1000,
                    sm_set_mhz=wish.sm_mhz,
                    mem_set_mhz=wish.mem_mhz,
                )
            )
        return tuple(planned)

    def _check_cap(self, handle: ctypes.c_void_p, cap_w: int) -> int:
        """The limit that stands on a board, which the wish keeps within."""
        least_mw, most_mw = self.nvml.bounds_mw(handle)
        stands_mw = self.nvml.limit_mw(handle)
        if not least_mw <= cap_w * 1000 <= min(most_mw, stands_mw):
            raise RefusedError(
                f"`cap_w` must be from {least_mw / 1000:g} to {min(most_mw, stands_mw) / 1000:g}, "
                f"but is {cap_w} instead"
            )
        return stands_mw

    def _check_clocks(self, handle: ctypes.c_void_p, wish: Wish) -> None:
        if wish.sm_mhz is None and wish.mem_mhz is None:
            return
        clocks = self.settings.clocks
        if clocks is None:
            raise RefusedError("a clock's lock must have `--clocks` in the prolog: see docs")
        offered = self.nvml.memory_clocks(handle)
        if wish.mem_mhz is not None and wish.mem_mhz not in offered:
            raise RefusedError(f"`mem_mhz` must be one that the board offers, not {wish.mem_mhz}")
        if wish.sm_mhz is not None:
            # Beside the memory clock that it will have.
            beside = wish.mem_mhz or max(offered, default=0)
            site_mhz = int(clocks.partition("-")[2] or 99_999)
            if wish.sm_mhz not in self.nvml.sm_clocks(handle, beside) or wish.sm_mhz > site_mhz:
                raise RefusedError(f"`sm_mhz` must be one that the board offers, not {wish.sm_mhz}")

    def _apply(self, job: Job, gpus: tuple[Gpu, ...]) -> None:
        """Set it on all boards, or on none.

        Raises:
            RefusedError: on none; what could not be put back is remembered.
        """
        state = State(
            boot_id=boot_id(),
            job_id=job.job_id,
            job_start=job.start,
            uid=job.uid,
            clocks=self.settings.clocks,
            gpus=gpus,
        )
        try:
            wished = f"cap_mw={gpus[0].cap_set_mw} sm_mhz={gpus[0].sm_set_mhz}"
            self.say(f"asks {wished} mem_mhz={gpus[0].mem_set_mhz} boards={len(gpus)}", state,
                     strict=True)  # fmt: skip
            self._vault.write_state(state)
        except OSError as error:
            raise RefusedError(f"nothing can be remembered: {error.strerror}") from None
        try:
            for gpu in gpus:
                self._set(state, gpu)
        except (RefusedError, OSError) as error:
            self.restore(state)
            reason = error.strerror if isinstance(error, OSError) else error
            raise RefusedError(f"not every board took it, so none keeps it: {reason}") from None

    def _set(self, state: State, gpu: Gpu) -> None:
        handle = self.nvml.handle(gpu.uuid)
        if gpu.cap_set_mw is not None:
            self.nvml.set_limit(handle, gpu.cap_set_mw)
            was = f"before={gpu.cap_before_mw} asked={gpu.cap_set_mw} now={gpu.cap_set_mw}"
            self.say(f"set cap_mw {was}", state, gpu, strict=True)
        for name, what, mhz in (
            ("mem_mhz", "Memory", gpu.mem_set_mhz),
            ("sm_mhz", "Gpu", gpu.sm_set_mhz),
        ):
            if mhz is not None:
                self.nvml.lock(handle, what, mhz, mhz)
                self.say(f"set {name} before=? asked={mhz} now=?", state, gpu, strict=True)

    def _forget(self) -> None:
        try:
            self._vault.forget_state()
        except OSError as error:
            self.say(f"kept: the state cannot be removed: {error.strerror}")

    def say(
        self,
        words: str,
        state: State | None = None,
        gpu: Gpu | None = None,
        *,
        job_id: int | None = None,
        strict: bool = False,
    ) -> None:
        """A line to the log, to syslog and to slurmd's own log.

        Raises:
            OSError: `strict`, and the log takes no line.
            RefusedError: `strict`, and the log is not root's own file.
        """
        about = f"job={job_id or '-'} uid=-"
        if state is not None:
            about = f"job={state.job_id} uid={state.uid}"
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"node={self.settings.node} {about} gpu={gpu.uuid if gpu else '-'} {words}"
        try:
            self._vault.log(f"{now} {line}")
        except (OSError, RefusedError):
            if strict:
                raise
        tell(line)


def tell(line: str) -> None:
    """A line to syslog, and to slurmd's log, which has what a prolog writes to its errors."""
    syslog.syslog(syslog.LOG_NOTICE, line)
    with contextlib.suppress(OSError):
        sys.stderr.write(f"joulegrid-power: {line}\n")
        sys.stderr.flush()


def boot_id() -> str:
    """The kernel's name for this boot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
        return file.read().strip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit code, 0 for a prolog and an epilog whatever comes."""
    given = _parse(arguments)
    os.umask(0o077)
    syslog.openlog("joulegrid-power")
    settings = Settings(
        node=given.node,
        folder=given.folder,
        library=given.library,
        squeue=given.squeue,
        slurm_conf=given.slurm_conf,
        clocks=given.clocks,
    )
    by_hand = given.verb in ("restore", "show", "forget")
    try:
        vault = Vault(settings.folder)
        with vault.locked():
            return _run(given, Broker(settings, vault), vault)
    except (RefusedError, OSError) as error:
        tell(f"node={settings.node} job={given.job or '-'} uid=- gpu=- refused: {error}")
        return 1 if by_hand else 0


def _run(given: argparse.Namespace, broker: Broker, vault: Vault) -> int:
    job_id = int(given.job) if given.job else None
    try:
        if given.verb == "prolog" and job_id is not None:
            broker.prolog(job_id, given.gpus)
        elif given.verb == "epilog" and job_id is not None:
            broker.settle(job_id)
        elif given.verb == "restore":
            broker.settle(None, force=given.force)
        elif given.verb == "forget":
            vault.forget_state()
            broker.say("forgotten by hand: what stands on the boards stays")
        state = vault.read_state()
    except (RefusedError, OSError) as error:
        word = "damaged" if isinstance(error, DamagedError) else "refused"
        broker.say(f"{word}: {error}", job_id=job_id)
        return 1 if given.verb in ("restore", "show", "forget") else 0
    if given.verb in ("restore", "show"):
        sys.stdout.write("nothing is set here\n" if state is None else state.pack().decode())
    return 1 if given.verb == "restore" and state is not None else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="broker.py", allow_abbrev=False)
    parser.add_argument("verb", choices=("prolog", "epilog", "restore", "show", "forget"))
    parser.add_argument("--job", type=_form(_JOB), help="the job, as slurmd has it")
    parser.add_argument("--gpus", default="", help="its GPUs' minor numbers, as slurmd has them")
    parser.add_argument("--node", type=_form(_NODE), help="this node, as slurmd has it")
    parser.add_argument("--folder", default=FOLDER, help="root's own, mode 0700")
    parser.add_argument("--library", help="libnvidia-ml.so.1 where it is not in its place")
    parser.add_argument("--squeue", default="/usr/bin/squeue", help="Slurm's program")
    parser.add_argument("--slurm-conf", help="where Slurm does not find it by itself")
    parser.add_argument(
        "--clocks", type=_form(_CLOCKS), help="reset, or the site's LOW-HIGH in MHz"
    )
    parser.add_argument("--force", action="store_true", help="restore under a job that runs")
    given = parser.parse_args(arguments)
    if given.verb in ("prolog", "epilog") and not (given.job and given.node):
        parser.error("--job and --node must be given")
    low, _, high = (given.clocks or "").partition("-")
    if high and int(low) > int(high):
        parser.error("--clocks must be LOW-HIGH with LOW at most HIGH")
    if not given.node:
        given.node = os.uname().nodename.partition(".")[0]
    return given


def _form(form: re.Pattern[str]) -> Any:
    def read(text: str) -> str:
        if form.fullmatch(text) is None:
            raise argparse.ArgumentTypeError("must be as slurm/power/broker.py says, but is not")
        return text

    return read


if __name__ == "__main__":
    sys.exit(main())
