"""When a served load's prompts come is drawn from the spec, and by everybody alike."""

import numpy as np
import pytest
from scipy import stats

from telemetry.record.arrivals import arrivals_us
from telemetry.record.spec import RunSpec
from tests.conftest import SPEC
from workers.planning.engine_facts import engine_facts


def test_the_same_seed_gives_the_same_moments_wherever_it_is_drawn() -> None:
    assert arrivals_us(2.0, 1, 0, 4) == arrivals_us(2.0, 1, 0, 4)
    assert arrivals_us(2.0, 1, 0, 3) == arrivals_us(2.0, 1, 0, 4)[:3]
    assert arrivals_us(2.0, 1, 1, 4) != arrivals_us(2.0, 1, 0, 4) != arrivals_us(2.0, 2, 0, 4)


def test_the_times_between_arrivals_are_exponential_of_the_stated_rate() -> None:
    moments = arrivals_us(50.0, 3, 0, 5000)
    between_s = np.diff([0, *moments]) / 1e6
    assert stats.kstest(between_s, stats.expon(scale=1 / 50.0).cdf).pvalue > 0.01


def test_a_seed_alone_is_no_load_and_ids_of_batches_are_what_they_were() -> None:
    with pytest.raises(ValueError, match="`arrivals_seed` must be null without `arrivals_per_s`"):
        RunSpec.from_mapping({**SPEC, "arrivals_seed": 1})
    with pytest.raises(ValueError, match="`arrivals_per_s` must be"):
        RunSpec.from_mapping({**SPEC, "arrivals_per_s": 0})
    batches = RunSpec.from_mapping(SPEC)
    assert "arrivals" not in batches.canonical_json
    served = RunSpec.from_mapping({**SPEC, "arrivals_per_s": 2})
    assert served.run_id != batches.run_id
    assert (served.arrivals_drawn_by, served.batch_prompts) == (served.seed, served.prompts)


def test_only_an_engine_of_requests_is_planned_for_a_load() -> None:
    served = RunSpec.from_mapping({**SPEC, "dtype": "fp16", "arrivals_per_s": 2})
    assert engine_facts("vllm").fault(served) is None
    told = engine_facts("reference").fault(served)
    assert told is not None
    assert told.startswith("`arrivals_per_s` must be null with engine reference, which answers")
