"""One real Slurm cluster for all tests of this folder: four nodes on this machine."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.system.slurm.people import open_python, two_people
from tests.system.slurm.site import Site

PROGRAM = REPOSITORY / "slurm" / "devcluster"
DAEMONS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder carry the mark `slurm`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slurm)


@contextlib.contextmanager
def small_disk() -> Iterator[Path | None]:
    """A real disk of a few MB that can be filled; None where this user may not mount one.

    Nodes have mounts of their own: it must be there before they start.
    """
    with tempfile.TemporaryDirectory(prefix="jg-disk-") as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=False)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A running cluster; the tests are skipped where Slurm's packages are not installed."""
    path = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"
    if absent := [name for name in DAEMONS if shutil.which(name, path=path) is None]:
        pytest.skip(f"no real Slurm here: {', '.join(absent)} missing; see slurm/packages.txt")
    # Unix sockets have short paths: not below pytest's own folder.
    with (
        tempfile.TemporaryDirectory(prefix="jg-") as folder,
        small_disk() as disk,
        open_python() as python,
        two_people(python) as people,
    ):
        command = [sys.executable, str(PROGRAM), "--folder", folder]
        up = Site.up if people is None else (*Site.up, "--shared")
        made = Site(folder=Path(folder), command=command, disk=disk, up=up, people=people)
        done = subprocess.run([*command, *made.up], capture_output=True, text=True, check=False)
        try:
            assert done.returncode == 0, done.stderr
            yield made
        finally:
            subprocess.run([*command, "down", "--purge"], capture_output=True, check=False)
            Path(folder).mkdir(exist_ok=True)


@pytest.fixture
def cluster(site: Site) -> Iterator[Site]:
    """The cluster with nothing queued, all nodes up; what a test leaves is cancelled."""
    yield site
    site.recover()


@pytest.fixture
def held(cluster: Site) -> Site:
    """The same, where nothing starts."""
    cluster.hold()
    return cluster
