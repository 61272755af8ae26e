"""Sealed repeats that the tests of this folder share."""

from pathlib import Path

import pytest

from tests.launcher.repeats.series import NOISY, QUIET, grid_of, seal


@pytest.fixture(scope="session")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sealed repeats by seed: 1 quiet, 2 noisy, 3 begun, 4 without energy. Nobody writes there."""
    results = tmp_path_factory.mktemp("laid")
    series: dict[int, tuple[float, ...]] = {**QUIET, **NOISY, 3: (1.5, 1.5), 4: (1.5, 1.5, 1.5)}
    for point in grid_of(results, "1,2,3,4", repeats=3).points:
        own, seed = series[point.spec.seed], point.spec.seed
        if point.spec.repeat < len(own):
            seal(point, results, own[point.spec.repeat], watched=seed != 4)
    return results
