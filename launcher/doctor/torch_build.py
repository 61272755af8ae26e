"""Torch build: does the torch that jobs would run fit the driver and the boards here?

It is asked in an interpreter of its own, as jobs start one.
"""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from launcher.doctor.examination import Probe
from launcher.doctor.observation import Observation, elsewhere, missing, there, unseen
from launcher.doctor.situation import GpuPlace, Situation

# A cold parallel file system gives torch's 2 GB of libraries in half a minute.
_PATIENCE_S: Final = 90.0
_COSTS: Final = "The ranks cannot compute on a GPU: no point on a real board runs."
_ASK: Final = """
import json
told = {}
try:
    import torch
    told["version"] = torch.__version__
    told["cuda"] = torch.version.cuda
    told["rocm"] = getattr(torch.version, "hip", None)
    if torch.version.cuda:
        # torch.cuda.get_arch_list() tells nothing where no device is.
        try:
            told["arch"] = torch._C._cuda_getArchFlags().split()
        except AttributeError:
            told["arch"] = torch.cuda.get_arch_list()
        try:
            torch.cuda.init()
            told["boards"] = [
                [torch.cuda.get_device_name(k), list(torch.cuda.get_device_capability(k))]
                for k in range(torch.cuda.device_count())
            ]
        except Exception as error:
            told["refuses"] = str(error).splitlines()[0]
except ImportError as error:
    told["absent"] = str(error)
try:
    import triton
    told["triton"] = triton.__version__
except Exception as error:
    told["no_triton"] = str(error)
print(json.dumps(told))
"""
_ARCH: Final = re.compile(r"(sm|compute)_(\d+)([af]?)")


def probes(situation: Situation) -> list[Probe]:
    """Torch against the driver and the boards; what engine `fast` compiles its kernels with."""
    return [
        Probe(
            name="torch",
            look=lambda: torch_build(situation),
            costs=_COSTS,
            patience_s=_PATIENCE_S,
        ),
    ]


def torch_build(situation: Situation, driver_cuda: int | None = None) -> Sequence[Observation]:
    """What torch tells of itself, held against the driver and each board.

    `driver_cuda` is the driver's own CUDA version as NVML tells it, 12040 for 12.4; None asks it.
    """
    told = ask_torch()
    if "absent" in told:
        why = f"torch cannot be imported: {told['absent']}"
        costs = "No rank can run a model with this Python, which is the one that jobs run."
        remedy = "pip install 'joulegrid[work]', or '.[work]' in a checkout"
        return [missing("torch", why, costs=costs, remedy=remedy, stops=True)]
    return [_fit(told, situation, driver_cuda), *_kernels(told, situation)]


def ask_torch(patience_s: float = _PATIENCE_S) -> Mapping[str, Any]:
    """What torch tells of itself in an interpreter like a job's.

    Raises:
        RuntimeError: it does not end, or ends without telling.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=patience_s,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"importing torch took more than {patience_s:g} s") from error
    try:
        told = json.loads(done.stdout.decode(errors="replace").strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise RuntimeError(
            f"importing torch ended with exit code {done.returncode} and said: {said[-1]}"
        ) from error
    if not isinstance(told, dict):
        raise RuntimeError(f"torch told {told!r}")
    return told


def runs_on(arch: Sequence[str], capability: Sequence[int]) -> bool:
    """True where code built for those architectures runs on a board of that compute capability.

    CUDA C++ programming guide, binary and PTX compatibility: machine code (sm_) of the same major
    and no newer minor; PTX (compute_) of no newer version; what is named with an `a` on that one
    alone, with an `f` within its major.
    """
    board = tuple(capability)
    for text in arch:
        match = _ARCH.fullmatch(text)
        if match is None:
            continue
        kind, digits, special = match.groups()
        built = (int(digits[:-1]), int(digits[-1]))
        same_family = built[0] == board[0] and built <= board
        if built == board or (same_family and special != "a"):
            return True
        if kind == "compute" and not special and built <= board:
            return True
    return False


def _fit(told: Mapping[str, Any], situation: Situation, driver_cuda: int | None) -> Observation:
    found = f"torch {told['version']}"
    on_gpu = situation.gpu is not GpuPlace.SIMULATED
    if not told.get("cuda"):
        kind = f"for ROCm {told['rocm']}" if told.get("rocm") else "for CPU alone"
        if not on_gpu:
            return there("torch", f"{found}, built {kind}; the GPU is simulated here")
        return missing(
            "torch",
            f"{found} is built {kind}, and jobs run this very Python",
            costs=_COSTS,
            remedy="pip install a CUDA build of the same release into this environment",
            stops=True,
        )
    found += f", built with CUDA {told['cuda']}"
    if situation.gpu is GpuPlace.SIMULATED:
        return there("torch", f"{found}; the GPU is simulated here")
    if situation.gpu is GpuPlace.NODES:
        why = f"{found}; whether it fits the nodes' driver only a node can tell"
        return unseen("torch", why, costs=_COSTS, remedy="run doctor on a node, by srun")
    driver_cuda = _driver_cuda() if driver_cuda is None else driver_cuda
    driver = f"{driver_cuda // 1000}.{driver_cuda % 1000 // 10}" if driver_cuda else "unknown"
    found += f", the driver's CUDA is {driver}"
    boards = told.get("boards")
    if not boards:
        # CUDA's minor version compatibility: a driver runs what is built with its own major.
        build = int(str(told["cuda"]).split(".", maxsplit=1)[0])
        old = driver_cuda is not None and driver_cuda // 1000 < build
        why = told.get("refuses") or "it finds no GPU"
        why = f"the driver is too old for this build ({why})" if old else why
        remedy = (
            f"a driver for CUDA {build} or newer, or a build of torch with CUDA "
            f"{driver_cuda // 1000 if driver_cuda else '12'}"
            if old
            else "see the lines of the driver; in a job, ask for GPUs (--gpus-per-node)"
        )
        return missing("torch", f"{found}: {why}", costs=_COSTS, remedy=remedy, stops=True)
    unfit = [name for name, capability in boards if not runs_on(told["arch"], capability)]
    names = ", ".join(f"{name} (sm_{major}{minor})" for name, (major, minor) in boards)
    if unfit:
        return missing(
            "torch",
            f"{found}; it has code for {' '.join(told['arch'])}, none for {', '.join(unfit)}",
            costs=_COSTS,
            remedy="a build of torch that has code for this board",
            stops=True,
        )
    return there("torch", f"{found}; it has code for {names}")


def _driver_cuda() -> int | None:
    from telemetry.sources.nvml.rights import driver_cuda_version  # noqa: PLC0415

    return driver_cuda_version()


def _kernels(told: Mapping[str, Any], situation: Situation) -> Sequence[Observation]:
    """What engine `fast` makes its kernels with: Triton, a C compiler, Python's headers."""
    if situation.gpu is GpuPlace.SIMULATED:
        return [elsewhere("kernels", "engine fast takes no kernels of its own on CPU")]
    costs = "Engine fast cannot compile its kernels; engine reference measures."
    if "triton" not in told:
        why = f"Triton cannot be imported: {told['no_triton']}"
        return [missing("kernels", why, costs=costs, remedy="pip install triton")]
    # Triton compiles what starts a kernel with $CC, clang or gcc when it is first used.
    compiler = next((name for name in ("gcc", "clang", "cc") if shutil.which(name)), None)
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    lacks = [] if compiler else ["no C compiler is on PATH"]
    lacks += [] if header.is_file() else [f"{header} is not there"]
    if lacks:
        remedy = "install gcc and Python's headers (python3-dev) on the nodes, or module load gcc"
        return [missing("kernels", "; ".join(lacks), costs=costs, remedy=remedy)]
    return [there("kernels", f"Triton {told['triton']}, {compiler}, Python's headers")]
