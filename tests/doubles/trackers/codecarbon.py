"""codecarbon as a recipe sees it: `EmissionsTracker` and the file that it leaves, of release 3.

Source: mlco2.github.io/codecarbon (parameters, output); codecarbon/emissions_tracker.py and
codecarbon/output_methods/emissions_data.py.
"""

import csv
from pathlib import Path
from typing import Any, Final

KWH: Final = 3.6e6
GPU_KWH: Final = 0.001
# Columns of emissions.csv in its order; energies in kWh, powers in W.
COLUMNS: Final = (
    *("timestamp", "project_name", "run_id", "experiment_id", "duration", "emissions"),
    *("emissions_rate", "cpu_power", "gpu_power", "ram_power", "cpu_energy", "gpu_energy"),
    *("ram_energy", "energy_consumed", "country_name", "country_iso_code", "region"),
    *("cloud_provider", "cloud_region", "os", "python_version", "codecarbon_version", "cpu_count"),
    *("cpu_model", "gpu_count", "gpu_model", "longitude", "latitude", "ram_total_size"),
    *("tracking_mode", "on_cloud", "pue"),
)


class EmissionsTracker:
    """A tracker that finds one kilowatt-second and a bit of everything."""

    def __init__(
        self,
        project_name: str = "codecarbon",
        measure_power_secs: float = 15,
        api_call_interval: int = 8,
        output_dir: str = ".",
        output_file: str = "emissions.csv",
        save_to_file: bool = True,
        gpu_ids: list[int] | str | None = None,
        tracking_mode: str = "machine",
        log_level: int | str = "info",
        on_csv_write: str = "append",
        allow_multiple_runs: bool = True,
    ) -> None:
        assert measure_power_secs > 0
        assert Path(output_dir).is_dir(), output_dir
        self._path = Path(output_dir) / output_file
        self._line: dict[str, Any] = dict.fromkeys(COLUMNS, "")
        self._line |= {"project_name": project_name, "tracking_mode": tracking_mode}
        self._started = False

    def start(self) -> None:
        self._started = True

    def stop(self) -> float:
        assert self._started
        self._line |= {
            "duration": 10.0,
            "gpu_energy": GPU_KWH,
            "cpu_energy": 0.0,
            "emissions": 1e-4,
        }
        fresh = not self._path.exists()
        with self._path.open("a", newline="") as sink:
            writer = csv.DictWriter(sink, COLUMNS)
            if fresh:
                writer.writeheader()
            writer.writerow(self._line)
        return 1e-4


class Codecarbon:
    """The module."""

    EmissionsTracker = EmissionsTracker
