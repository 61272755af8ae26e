"""Library: NVIDIA's management library (NVML) as this machine has it, and what its errors mean.

NVML is opened in two kinds of process alone: the watcher, and a rank that reads its own GPU's
counter (`telemetry.sources.nvml.energy_counter`).
"""

import contextlib
from collections.abc import Callable
from typing import Any, Final, Self

import pynvml

# Asking again cannot help: the board or the driver does not have the reading.
_PERMANENT: Final = frozenset(
    {pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND}
)


# A machine without a GPU of NVIDIA's answers so; anything else is a fault of one that has some.
_NO_DRIVER: Final = frozenset(
    {pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED}
)


class NoDriverError(RuntimeError):
    """This machine has no NVIDIA driver."""


class Driver:
    """NVML, open until `close`.

    Raises:
        NoDriverError: there is no NVIDIA driver.
        RuntimeError: NVML cannot be opened.
    """

    def __init__(self) -> None:
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            kind = NoDriverError if error.value in _NO_DRIVER else RuntimeError
            raise kind(
                f"NVIDIA's driver must be loaded to read a GPU, but is not: {reason_of(error)}"
            ) from error

    def version(self) -> str | None:
        """The driver's version; None when it does not tell."""
        version: str | None = ask_nvml(pynvml.nvmlSystemGetDriverVersion)[0]
        return version

    def nvml_version(self) -> str | None:
        """The library's version; None when it does not tell."""
        version: str | None = ask_nvml(pynvml.nvmlSystemGetNVMLVersion)[0]
        return version

    def count(self) -> int:
        """GPUs of this node that the process may see.

        Raises:
            RuntimeError: the driver does not tell.
        """
        try:
            return int(pynvml.nvmlDeviceGetCount())
        except pynvml.NVMLError as error:
            raise RuntimeError(
                f"the driver must count its GPUs, but: {reason_of(error)}"
            ) from error

    def close(self) -> None:
        """Let go of NVML."""
        # Nothing is lost when it is gone already.
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def ask_nvml(call: Callable[..., Any], *given: Any) -> tuple[Any, str | None]:
    """What an NVML call answers, or None and why it does not."""
    try:
        return call(*given), None
    except pynvml.NVMLError as error:
        return None, reason_of(error)


def reason_of(error: pynvml.NVMLError) -> str:
    """An NVML error as the reason of a reading that could not be had."""
    return code_reason(error.value)


def code_reason(code: int) -> str:
    """The reason that an NVML return code stands for."""
    return f"NVML error {code}: {pynvml.NVMLError(code)}"


def is_permanent(code: int) -> bool:
    """True when asking again cannot help."""
    return code in _PERMANENT
