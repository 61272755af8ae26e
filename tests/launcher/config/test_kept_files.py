"""Configuration files are parsed once a process, and no composition sees what another wrote."""

import os
from pathlib import Path

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins

from launcher.config import kept_files
from launcher.config.command_line import read_points
from launcher.config.kept_files import KeptFiles


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeptFiles:
    """Hydra's, of one folder with one file."""
    Plugins.instance()
    (tmp_path / "one.yaml").write_text("a: {b: 1}")
    monkeypatch.setattr(kept_files, "CONF", tmp_path)
    monkeypatch.setattr(kept_files, "_KEPT", {})
    return KeptFiles(path_of(tmp_path))


def path_of(folder: Path) -> ConfigSearchPath:
    path = ConfigSearchPathImpl()
    path.append("main", str(folder))
    return path


def value(repository: KeptFiles) -> object:
    found = repository.load_config("one")
    assert found is not None
    return found.config["a"]["b"]


def test_a_file_is_parsed_once(repository: KeptFiles, tmp_path: Path) -> None:
    assert value(repository) == 1
    stat = (tmp_path / "one.yaml").stat()
    # Of the same size and time: nobody looks into it again.
    (tmp_path / "one.yaml").write_text("a: {b: 2}")
    os.utime(tmp_path / "one.yaml", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert value(repository) == 1


def test_a_file_that_has_changed_is_read_again(repository: KeptFiles, tmp_path: Path) -> None:
    assert value(repository) == 1
    (tmp_path / "one.yaml").write_text("a: {b: 22}")
    assert value(repository) == 22


def test_what_is_written_into_one_composition_is_in_no_other(repository: KeptFiles) -> None:
    found = repository.load_config("one")
    assert found is not None
    found.config["a"]["b"] = 9
    assert value(repository) == 1


def test_of_a_search_path_of_a_line_s_own_nothing_is_kept(
    repository: KeptFiles, tmp_path: Path
) -> None:
    assert value(repository) == 1
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.yaml").write_text("a: {b: 3}")
    repository.initialize_sources(path_of(other))
    assert value(repository) == 3


@pytest.mark.parametrize("words", [["cluster=local"], ["cluster=h200", "seed=1,2", "gpus=1,2"]])
def test_two_lines_of_one_process_do_not_meet(words: list[str]) -> None:
    before = [repr(point.config) for point in read_points(words)]
    read_points(["cluster=h200", "cluster.slurm.partition=big", "telemetry.period_ms=50"])
    assert [repr(point.config) for point in read_points(words)] == before


def test_a_line_that_sweeps_nothing_is_composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    composed = []
    load = ConfigLoaderImpl.load_configuration

    def counted(*arguments: object, **named: object) -> object:
        composed.append(1)
        return load(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", counted)
    (point,) = read_points(["cluster=local", "gpus=2"])
    assert point.config["gpus"] == 2
    assert len(composed) == 1
    composed.clear()
    assert len(read_points(["cluster=local", "gpus=2,4"])) == 2
    assert len(composed) == 3
