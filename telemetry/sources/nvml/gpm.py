"""Gpm: the performance monitors that Hopper and newer boards have (NVML GPM), without DCGM."""

from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

import pynvml

from telemetry.sources.nvml.library import ask_nvml, code_reason

_PERCENT: Final = 0.01
_BYTES_PER_MIB: Final = float(1 << 20)

METRICS: Final = {
    "graphics_active": (pynvml.NVML_GPM_METRIC_GRAPHICS_UTIL, _PERCENT),
    "sm_active": (pynvml.NVML_GPM_METRIC_SM_UTIL, _PERCENT),
    "sm_occupancy": (pynvml.NVML_GPM_METRIC_SM_OCCUPANCY, _PERCENT),
    "tensor_active": (pynvml.NVML_GPM_METRIC_ANY_TENSOR_UTIL, _PERCENT),
    "dram_active": (pynvml.NVML_GPM_METRIC_DRAM_BW_UTIL, _PERCENT),
    "pcie_tx_bytes_per_s": (pynvml.NVML_GPM_METRIC_PCIE_TX_PER_SEC, _BYTES_PER_MIB),
    "pcie_rx_bytes_per_s": (pynvml.NVML_GPM_METRIC_PCIE_RX_PER_SEC, _BYTES_PER_MIB),
    "nvlink_tx_bytes_per_s": (pynvml.NVML_GPM_METRIC_NVLINK_TOTAL_TX_PER_SEC, _BYTES_PER_MIB),
    "nvlink_rx_bytes_per_s": (pynvml.NVML_GPM_METRIC_NVLINK_TOTAL_RX_PER_SEC, _BYTES_PER_MIB),
}
"""Readings by NVML's metric ids, and the factor into our unit."""


class Gpm:
    """Means between two looks at one GPU's counters; the first look gives none."""

    def __init__(self, handle: Any, wanted: Container[str]) -> None:
        self._handle = handle
        self._names = tuple(name for name in METRICS if name in wanted)
        self._samples: list[Any] = []
        self._seen = False
        self._lacking: str | None = None
        if not self._names:
            return
        support, reason = ask_nvml(pynvml.nvmlGpmQueryDeviceSupport, handle)
        if reason is None and not support.isSupportedDevice:
            reason = "this board has no performance monitors that NVML can read (GPM)"
        for _ in range(2):
            if reason is None:
                sample, reason = ask_nvml(pynvml.nvmlGpmSampleAlloc)
                if reason is None:
                    self._samples.append(sample)
        self._lacking = reason
        self._asked = pynvml.c_nvmlGpmMetricsGet_t()
        self._asked.version = pynvml.NVML_GPM_METRICS_GET_VERSION
        self._asked.numMetrics = len(self._names)
        for place, name in enumerate(self._names):
            self._asked.metrics[place].metricId = METRICS[name][0]

    @property
    def names(self) -> Sequence[str]:
        """The readings it gives; none on boards without it."""
        return self._names if self._lacking is None else ()

    def read(self) -> tuple[Mapping[str, float], Mapping[str, str]]:
        """Means since the last call by reading, and why the others are missing."""
        if not self._names:
            return {}, {}
        if self._lacking is not None:
            return {}, dict.fromkeys(self._names, self._lacking)
        _, reason = ask_nvml(pynvml.nvmlGpmSampleGet, self._handle, self._samples[1])
        if reason is not None:
            self._seen = False
            return {}, dict.fromkeys(self._names, reason)
        self._samples.reverse()
        if not self._seen:
            self._seen = True
            return {}, {}
        self._asked.sample1, self._asked.sample2 = self._samples[1], self._samples[0]
        _, reason = ask_nvml(pynvml.nvmlGpmMetricsGet, self._asked)
        if reason is not None:
            return {}, dict.fromkeys(self._names, reason)
        values, reasons = {}, {}
        for place, name in enumerate(self._names):
            metric = self._asked.metrics[place]
            if metric.nvmlReturn == pynvml.NVML_SUCCESS:
                values[name] = metric.value * METRICS[name][1]
            else:
                reasons[name] = code_reason(metric.nvmlReturn)
        return values, reasons

    def close(self) -> None:
        """Give back the two places that NVML keeps for the samples."""
        for sample in self._samples:
            ask_nvml(pynvml.nvmlGpmSampleFree, sample)
        self._samples.clear()
