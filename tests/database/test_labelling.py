"""What a task leaves in the database equals the oracle's relabelling, row by row, both ways."""

import pytest

from database.worker_runs import Stage
from labeltask_testing.source_rows import generate_posts


@pytest.mark.parametrize("policy", ["first", "most", "all"])
@pytest.mark.parametrize("predict_type", ["author_name", "content", "s_area_id", "title"])
@pytest.mark.parametrize("model_type", ["keyword_model", "rule_model"])
def test_every_model_predict_type_and_policy_labels_as_the_oracle_does(
    stage: Stage, model_type: str, predict_type: str, policy: str
) -> None:
    stage.load(generate_posts(2_000, seed=7, nulls=0.05))
    task = stage.task(
        model_type=model_type,
        predict_type=predict_type,
        policy=policy,
        start_time="2020-01-03 12:00:00",
        end_time="2020-01-30",
        batch_rows=300,
        slice_rows=700,
    )
    task.run_to_success()
    expected = task.check()
    assert len(expected.results) >= 10
