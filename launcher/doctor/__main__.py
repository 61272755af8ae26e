"""Doctor: `python -m launcher.doctor`, on a login node or on a node: what is here to measure with?

Nothing is changed, no job is begun, and no look waits for ever.
"""

import shlex
import sys
import time
from collections.abc import Sequence
from typing import Final

# A node may have an older Python than the login node: it is told in a line, and not by a traceback.
if sys.version_info < (3, 11):  # noqa: UP036
    _FOUND = ".".join(map(str, sys.version_info[:3]))
    sys.stderr.write(f"doctor: Python must be 3.11 or newer, but {sys.executable} is {_FOUND}\n")
    raise SystemExit(1)

from launcher.doctor import (
    clock_sync,
    dcgm_engine,
    gpu,
    host_sensors,
    page,
    process_limits,
    python_packages,
    results_disk,
    slurm_books,
    slurm_site,
    stores,
    torch_build,
)
from launcher.doctor.examination import Probe, Tell, examine
from launcher.doctor.observation import Observation, Standing, missing
from launcher.doctor.situation import AUTO, GpuPlace, Situation, settle
from telemetry.command import CommandParser, ExitCode, command, complain
from telemetry.document import due
from telemetry.next_line import typed

# Nobody is left without a word for two seconds.
_QUIET_S: Final = 1.5
_MARKS: Final = """\
marks:
  [x] there   [ ] missing   [?] could not be looked at   [-] does not apply
With what is missing or unseen stands what it costs a measurement."""


@command("doctor")
def main(arguments: Sequence[str] | None = None) -> int:
    """Look at this machine; the exit status."""
    parser = CommandParser(
        module="launcher.doctor",
        description="What this machine can measure, and what each missing thing costs. Nothing is "
        "changed and no job is begun.",
        epilog=_MARKS,
        exits={
            ExitCode.DONE: "nothing seen stops a measurement",
            ExitCode.FAILED: "something does",
            ExitCode.BAD_INPUT: "the command, the cluster or the folder will not do",
            ExitCode.UNSEEN: "--strict: nothing seen does, but something could not be looked at",
        },
    )
    parser.add_argument(
        "results",
        nargs="?",
        default="results",
        metavar="RESULTS",
        help="the results folder that is to be, or is (default: results)",
    )
    parser.add_argument(
        "--cluster", default=AUTO, help="a cluster's name in conf/cluster (default: auto)"
    )
    parser.add_json("what was looked at, what was found, what it costs and what mends it")
    parser.add_argument(
        "--strict", action="store_true", help="exit status 4 where something was not looked at"
    )
    parser.add_argument(
        "--dcgm-bindings", default=None, metavar="DIR", help="as telemetry.dcgm_bindings"
    )
    parser.add_argument(
        "--dcgm-address", default=None, metavar="PLACE", help="as telemetry.dcgm_address"
    )
    given = parser.parse_args(arguments)
    try:
        situation = settle(given.cluster, given.results)
        _check_address(given.dcgm_address)
    except ValueError as error:
        complain("doctor", str(error))
        return ExitCode.BAD_INPUT
    if fault := _folder_fault(given.results):
        complain("doctor", fault)
        return ExitCode.BAD_INPUT
    found = examine(
        _probes(situation, given.dcgm_bindings, given.dcgm_address),
        _teller(quiet=due() is not None),
    )
    again, following = _next_command(found, situation)
    if (document := due()) is not None:
        document.fill("doctor", page.mapping(found, situation))
        document.next = following
    else:
        stops = ", ".join(one.name for one in found if one.stops)
        last = f"mend {stops}, then again: {again}" if stops else f"next: {following}"
        sys.stdout.write(page.text(found, situation, last))
    return _code(found, strict=given.strict)


def _code(found: Sequence[Observation], *, strict: bool) -> ExitCode:
    if any(one.stops for one in found):
        return ExitCode.FAILED
    unseen = any(one.standing is Standing.UNSEEN for one in found)
    return ExitCode.UNSEEN if strict and unseen else ExitCode.DONE


def _probes(situation: Situation, bindings: str | None, address: str | None) -> list[Probe]:
    return [
        *python_packages.probes(),
        *torch_build.probes(situation),
        *gpu.probes(situation),
        *dcgm_engine.probes(situation, bindings, address),
        *host_sensors.probes(),
        *clock_sync.probes(),
        *slurm_site.probes(situation),
        *slurm_books.probes(situation),
        *results_disk.probes(situation),
        *stores.probes(situation),
        *process_limits.probes(situation),
    ]


def _folder_fault(results: str) -> str | None:
    """What is wrong with RESULTS; None when nothing is, or when its file server does not answer."""

    def look() -> list[Observation]:
        fault = results_disk.fault_of(results)
        return [] if fault is None else [missing("results", fault, costs=fault)]

    # The looks at the folder itself tell of a server that does not answer.
    found = examine([Probe(name="results", look=look, costs="", patience_s=5.0)])
    faults = [one.found for one in found if one.standing is Standing.MISSING]
    return faults[0] if faults else None


def _check_address(address: str | None) -> None:
    if address is None or address.startswith("/"):
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(
            f"`--dcgm-address` must be host:port or the path of a socket, "
            f"but is {address!r} instead"
        )


def _teller(*, quiet: bool) -> Tell | None:
    """Says whom is waited for: a terminal at once, a log now and then; None says nothing."""
    if quiet:
        return None
    live = _takes_escapes()
    begun_s = said_s = time.monotonic()

    def tell(names: Sequence[str]) -> None:
        nonlocal said_s
        now_s = time.monotonic()
        if live:
            line = f"looking at {', '.join(names)}"[:79] if names else ""
            sys.stderr.write(f"\r\x1b[K{line}")
        elif names and now_s - said_s > _QUIET_S:
            said_s = now_s
            sys.stderr.write(f"looking at {', '.join(names)} ({now_s - begun_s:.0f} s)\n")
        sys.stderr.flush()

    return tell


def _takes_escapes() -> bool:
    try:
        from telemetry.output import takes_escapes  # noqa: PLC0415 -- a bare Python cannot load it
    except ModuleNotFoundError:
        return False
    return takes_escapes(sys.stderr)


def _next_command(found: Sequence[Observation], situation: Situation) -> tuple[str, str | None]:
    """This command again, and the one that comes next; None where something is to be mended."""
    results = [situation.results] if situation.results != "results" else []
    cluster = [] if situation.cluster in {"local", "slurm"} else ["--cluster", situation.cluster]
    again = typed("launcher.doctor", *results, *cluster)
    if any(one.stops for one in found):
        return again, None
    if situation.login:
        words = ["srun", "--nodes=1"]
        words += [f"--partition={situation.partition}"] if situation.partition else []
        words += [f"--account={situation.account}"] if situation.account else []
        words += ["--gpus-per-node=1"] if situation.gpu is not GpuPlace.SIMULATED else []
        return again, f"{shlex.join(words)} {again}"
    place = [f"results={situation.results}"] if results else []
    if situation.slurm:
        words = ["experiment=proof", f"cluster={situation.cluster}"]
    else:
        words = ["model=7b"] if situation.cluster == "local" else [f"cluster={situation.cluster}"]
    return again, typed("launcher", *words, *place, "plan=true")


if __name__ == "__main__":
    sys.exit(main())
