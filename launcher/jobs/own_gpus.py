"""Own GPUs: which of this machine's GPUs a job that no batch system placed may take."""

from collections.abc import Mapping
from typing import Final

_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"


def own_gpus(environment: Mapping[str, str], gpus: int) -> tuple[int, ...] | None:
    """Numbers of the first `gpus` GPUs that the caller's environment makes visible.

    submitit would give every local job the machine's first GPUs, whatever its caller may see: two
    campaigns beside one another, each told its own GPU, would both measure and disturb the first.
    None where the environment names none: all of the machine are the caller's.

    Raises:
        ValueError: it names fewer, or none that is there.
    """
    named = environment.get(_VISIBLE)
    if named is None:
        return None
    words = [word.strip() for word in named.split(",") if word.strip()]
    if all(word.isdecimal() for word in words):
        numbers = tuple(int(word) for word in words)
    else:
        # A login node without a driver's library plans too.
        from telemetry.sources.nvml.present_boards import present_numbers  # noqa: PLC0415

        try:
            numbers = present_numbers(environment)
        except RuntimeError as error:
            raise ValueError(str(error)) from error
    if len(numbers) < gpus:
        raise ValueError(
            f"`gpus_per_node` must be at most what `{_VISIBLE}` names on this machine, "
            f"but is {gpus} and {named!r} instead"
        )
    return numbers[:gpus]
