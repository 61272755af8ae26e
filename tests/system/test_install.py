"""Once installed, the packages and conf/ are found from any working directory."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY


def test_an_installed_wheel_plans_from_any_working_directory(tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--no-index", "--target", str(site), str(REPOSITORY)),
        ],
        check=True,
        capture_output=True,
    )
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import launcher.__main__ as app; "
        "print(app.__file__); sys.exit(app.main(['cluster=local', 'plan=true', 'gpus=1,2']))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout
    assert "2 run" in done.stdout
    assert list(elsewhere.iterdir()) == []
