import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.evaluate import checks
from acronis_pipeline_tests.index.corpora import WordEncoder

ROWS = [
    (
        f"alpha{n} beta gamma",
        f"alpha{n} {'beta' if n % 2 else 'delta'} {'gamma' if n % 3 else 'omega'}",
        n % 2 + (n % 3 > 0),
    )
    for n in range(24)
]


def write(path: Path, rows: list = ROWS) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(checks.STS_COLUMNS, row, strict=True))) + "\n" for row in rows))
        return path
    comma = "\t" if path.suffix == ".tsv" else ","
    path.write_text("\n".join(comma.join(map(str, row)) for row in (checks.STS_COLUMNS, *rows)) + "\n")
    return path


@pytest.mark.parametrize("name", ["pairs.csv", "pairs.tsv", "pairs.jsonl"])
def test_same_pairs_are_read_from_every_format(tmp_path: Path, name: str) -> None:
    pairs = checks.read_labelled_pairs(write(tmp_path / name))
    assert [(pair.text1, pair.text2, pair.score) for pair in pairs] == [(a, b, float(score)) for a, b, score in ROWS]


def test_cosines_that_agree_with_people_correlate(tmp_path: Path) -> None:
    pairs = checks.read_labelled_pairs(write(tmp_path / "pairs.csv"))
    found = checks.correlation("pairs.csv", "base", WordEncoder(), pairs)
    assert found.n == len(ROWS)
    assert 0.5 < found.spearman.low <= found.spearman.mean <= found.spearman.high <= 1.0


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 5)), min_size=10, max_size=40))
def test_correlation_is_scipys_where_that_is_defined(values: list[tuple[float, int]]) -> None:
    cosines, scores = (list(side) for side in zip(*values, strict=True))
    found = checks.spearman(cosines, scores)
    if len(set(cosines)) > 1 and len(set(scores)) > 1:
        assert found.mean == pytest.approx(spearmanr(cosines, scores).statistic)
    assert np.isfinite([found.mean, found.low, found.high]).all()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "text1,score\nx,1\n", r"a\.csv:1 has no column text2"),
        (
            "a.csv",
            "text1,text2,score\nx,y,1\nx,,1\n",
            r"holds 1 pairs .*1 × line without two texts.*a\.csv:3",
        ),
        ("a.csv", "text1,text2,score\nx,y,high\n", r"holds 0 pairs .*a\.csv:2"),
        ("a.tsv", "text1\ttext2\tscore\nx\ty\tnan\n", r"holds 0 pairs .*a\.tsv:2"),
        ("a.jsonl", '{"text1": "x", "text2": "y", "score": 1}\n{', r"1 × line that is no JSON \(first: .*a\.jsonl:2\)"),
        ("a.jsonl", "[1]\n", r"1 × line without two texts.*a\.jsonl:1"),
        ("a.csv", "text1,text2,score\nx,y,1\n", "at least 10 pairs"),
        ("a.csv", "text1,text2,score\n" + "x,y,1\n" * 20, "1 different scores"),
    ],
)
def test_malformed_file_is_named_with_its_line(tmp_path: Path, name: str, content: str, problem: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DatasetError, match=problem):
        checks.read_labelled_pairs(tmp_path / name)


def test_a_line_that_cannot_be_used_is_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As the STS benchmark is published: other names of the columns, quotation marks that belong to the text."""
    lines = [f"{n}\tsts\ta man {n}\tone man {n}\t{n % 5}.250" for n in range(12)]
    text = "\n".join(["index\tgenre\tsentence1\tsentence2\tscore", *lines, "12\tsts\t\tnobody\t1.0", ""])
    (tmp_path / "sts-dev.tsv").write_text("\ufeff" + text, "utf-8")
    pairs = checks.read_labelled_pairs(tmp_path / "sts-dev.tsv")
    assert pairs[1] == checks.LabelledPair("a man 1", "one man 1", 1.25)
    assert len(pairs) == 12
    assert "12 pairs; left out: 1 × line without two texts" in caplog.text


def test_missing_file_is_named_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"gone\.csv: no such file.*evaluation\.sts_file"):
        checks.read_labelled_pairs(tmp_path / "gone.csv")
