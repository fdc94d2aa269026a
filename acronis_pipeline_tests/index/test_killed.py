from pathlib import Path

import pytest

from acronis_pipeline.store import Store
from acronis_pipeline_tests.index.killed_build import complete, kill, refresh

pytestmark = pytest.mark.server

N = 300
TABLE = "passages_words"


def test_a_killed_refresh_leaves_the_old_content_or_the_new_and_the_next_one_completes(tmp_path: Path) -> None:
    uri = str(tmp_path / "lancedb")
    refresh(Store(uri), TABLE, N, 0)
    for round_, after_s in enumerate((0.03, 0.25), start=1):
        killed = kill(uri, TABLE, N, round_, after_s)
        assert killed.sound, killed
    assert complete(uri, TABLE, N, 3)


def test_a_killed_first_build_is_not_taken_for_a_finished_one_and_the_next_completes_it(tmp_path: Path) -> None:
    uri = str(tmp_path / "lancedb")
    killed = kill(uri, TABLE, N, 1, 0.15)
    assert killed.content in ("none", "unfinished", "new"), killed
    assert complete(uri, TABLE, N, 1)
