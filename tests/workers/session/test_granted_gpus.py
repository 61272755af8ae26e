import pytest

from workers.session.granted_gpus import grant_fault

JOB = {"SLURM_JOB_ID": "8"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"CUDA_VISIBLE_DEVICES": "7"},
        {**JOB, "CUDA_VISIBLE_DEVICES": "2,3", "SLURM_STEP_GPUS": "2,3"},
        # One GPU a task.
        {**JOB, "CUDA_VISIBLE_DEVICES": "3", "SLURM_STEP_GPUS": "2,3"},
        # Confined by cgroups, so counted from 0.
        {**JOB, "CUDA_VISIBLE_DEVICES": "0,1", "SLURM_STEP_GPUS": "2,3"},
        # Moved by a TaskProlog, which cannot move what the whole job was given.
        {
            **JOB,
            "CUDA_VISIBLE_DEVICES": "4,5",
            "SLURM_STEP_GPUS": "4,5",
            "SLURM_JOB_GPUS": "0,1",
        },
        {**JOB, "CUDA_VISIBLE_DEVICES": "GPU-8b6f", "SLURM_STEP_GPUS": "2"},
        {**JOB, "CUDA_VISIBLE_DEVICES": "2"},
    ],
)
def test_gpus_that_can_be_the_job_s_are_taken(environment: dict[str, str]) -> None:
    assert grant_fault(environment) is None


def test_a_job_without_gpus_does_not_take_the_node_s() -> None:
    assert "Slurm gave it none" in str(grant_fault(JOB))


@pytest.mark.parametrize("visible", ["4,5", "2,4", "1,2"])
def test_numbers_that_slurm_did_not_give_are_refused(visible: str) -> None:
    environment = {**JOB, "CUDA_VISIBLE_DEVICES": visible, "SLURM_STEP_GPUS": "2,3"}
    fault = grant_fault(environment)
    assert fault == (
        f"`CUDA_VISIBLE_DEVICES` must name GPUs of the job (2,3), but is {visible} instead"
    )
