"""Clock sync: is this machine's wall clock kept in step with others' by anybody?

The kernel tells whether a program disciplines its clock, but not every program tells the kernel:
chrony does with `rtcsync` alone. So who is there is asked, too.
"""

import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import Final

from launcher.doctor.examination import Probe
from launcher.doctor.observation import Observation, missing, there, unseen

_COSTS: Final = (
    "Times on record are this clock's: they may not match a site's books; durations stand, and "
    "what nodes differ by is measured in each job."
)
# linux/timex.h
_STA_UNSYNC: Final = 0x0040
_TIME_ERROR: Final = 5
# A program that keeps the time answers from memory.
_PATIENCE_S: Final = 3.0
_LEAP: Final = re.compile(r"^Leap status\s*:\s*(.+)$", re.MULTILINE)
_OFFSET: Final = re.compile(r"^System time\s*:\s*(.+)$", re.MULTILINE)


class _Timex(ctypes.Structure):
    # linux/timex.h, struct timex, as glibc has it on 64-bit machines.
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def probes() -> list[Probe]:
    """The wall clock."""
    return [Probe(name="clock", look=clock, costs=_COSTS, patience_s=15.0)]


def clock(
    kernel: "Callable[[], tuple[bool, int]] | None" = None,
    ask: "Callable[[Sequence[str]], str | None] | None" = None,
) -> Sequence[Observation]:
    """Whether anybody keeps the clock in step: the kernel's word, else chrony's, else systemd's."""
    ask = ask or _ask
    beside = "; what nodes differ by is measured in each job"
    try:
        synchronised, most_us = (kernel or kernel_clock)()
    except OSError as error:
        said = f"the kernel does not tell ({error.strerror})"
        synchronised, most_us = False, None
    else:
        said = f"the kernel calls the clock {'' if synchronised else 'un'}synchronised"
    if synchronised and most_us is not None:
        return [there("clock", f"{said}, off by {most_us / 1000:g} ms at most{beside}")]
    tracking = ask(["chronyc", "-n", "tracking"])
    if tracking is not None and (leap := _LEAP.search(tracking)):
        offset = _OFFSET.search(tracking)
        told = f"chrony: {leap[1].strip()}{', ' + offset[1].strip() if offset else ''}"
        # chrony's other words: Insert second and Delete second are in step, too.
        if leap[1].strip() != "Not synchronised":
            return [there("clock", f"{told}{beside}")]
        said = f"{said}, {told}"
    word = ask(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
    if word is not None and word.strip() == "yes":
        return [there("clock", f"systemd: synchronised by NTP{beside}")]
    remedy = "run chronyd, ntpd or systemd-timesyncd on all nodes"
    if most_us is None and tracking is None and word is None:
        why = f"{said}, and neither chrony nor systemd answers{beside}"
        return [unseen("clock", why, costs=_COSTS, remedy=remedy)]
    return [missing("clock", f"{said}{beside}", costs=_COSTS, remedy=remedy)]


def kernel_clock() -> tuple[bool, int]:
    """Whether the kernel calls its clock synchronised, and its bound of the error in microseconds.

    Raises:
        OSError: it does not tell, as in some containers.
    """
    library = ctypes.CDLL(None, use_errno=True)
    timex = _Timex()
    state = int(library.adjtimex(ctypes.byref(timex)))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return state != _TIME_ERROR and not timex.status & _STA_UNSYNC, int(timex.maxerror)


def _ask(command: Sequence[str]) -> str | None:
    """What a command says; None where it is not there, fails or does not answer."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else done.stdout.decode(errors="replace")
