"""Memory that runs out on a node of a real Slurm: one point fails with its figures, others seal."""

from pathlib import Path

from telemetry.record.files import read_json
from telemetry.record.paths import list_runs
from telemetry.record.schema import EndState
from telemetry.record.spec import RunSpec
from tests.system.slurm.site import POINT, TWO_NODES, Site

# Keys and values of the large point take 4.4 GB on each of two ranks, which may map 3.
LARGE = ("batch_size=2,4096", "max_prompt_len=8", "max_gen_len=256", "prompts=2")
SETUP = 'cluster.slurm.setup=["ulimit -v 3000000"]'


def test_a_point_without_memory_fails_on_both_nodes_at_once_and_the_others_are_sealed(
    cluster: Site, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    done = cluster.launch(results, "-m", *POINT, *TWO_NODES, *LARGE, SETUP)
    assert done.returncode == 0, done.stdout + done.stderr
    small, large = sorted(list_runs(results), key=lambda run: RunSpec.read(run.spec).batch_size)
    attempt = large.attempt(1)
    cluster.wait_ended(attempt)
    end = read_json(attempt.ended)
    assert end["state"] == EndState.FAILED
    assert end["reason"].startswith("out of memory: ")
    assert end["memory"]["phase"] == "load"
    assert end["memory"]["estimated"]["kv_cache_bytes"] > end["memory"]["limit_bytes"]
    cluster.wait("the other point's seal", small.attempt(1).seal.is_file)
    # The failed one is merged too: its telemetry is worth having.
    cluster.wait("the failed point's tables", attempt.manifest.is_file)
    assert read_json(attempt.manifest)["state"] == EndState.FAILED
