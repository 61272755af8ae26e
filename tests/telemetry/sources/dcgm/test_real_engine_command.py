"""The commands that the documents print for a real engine are ones that pytest takes."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.doubles.dcgm.station import DOUBLE

COMMAND = re.compile(r"pytest -m dcgm [^`\n]+(?:\n  [^`\n]+)?")


@pytest.mark.parametrize("document", ["docs/testing.md", "docs/dcgm.md"])
def test_the_printed_command_collects_the_contract_where_its_folder_exists(
    tmp_path: Path, document: str
) -> None:
    # Outside the tree, as NVIDIA's bindings are: pytest would take a word that is a path for tests.
    folder = shutil.copytree(DOUBLE, tmp_path / "bindings")
    found = COMMAND.search((REPOSITORY / document).read_text())
    assert found is not None
    words = shlex.split(found[0].replace("DIR", str(folder)).replace("HOST:PORT", "localhost:5555"))
    assert words[-1] == "tests"
    # Collecting all the tests takes long: those of this folder alone.
    words[-1] = "tests/telemetry/sources/dcgm"
    done = subprocess.run(
        [sys.executable, "-m", *words, "--collect-only", "-q"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^9/\d+ tests collected", done.stdout, re.MULTILINE), done.stdout
