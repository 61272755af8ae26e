"""The recorded run that forgeries begin with."""

import pytest

from telemetry.record.paths import RunPaths
from tests.analysis.audit.forging import BASE
from tests.support.recordings import FOLDER, SUFFIX, unpack


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """Unpacked once a module; who changes it copies it first."""
    results = tmp_path_factory.mktemp("recorded")
    unpack(FOLDER / f"{BASE}{SUFFIX}", results)
    return RunPaths(results=results, run_id=BASE)
