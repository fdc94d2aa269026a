"""What a report says of the models themselves, besides how systems rank the site's passages.

Whether they forgot (`forgetting`), and how well their cosines agree with the similarities that people gave to pairs of
texts. Files are read before anything is computed, so that a malformed one costs no evaluation.
"""

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.files import json_lines, read_text
from acronis_pipeline.core.hashing import digest, digest_rows
from acronis_pipeline.core.settings import EvaluationSettings
from acronis_pipeline.encoders import Encoder
from acronis_pipeline.evaluate.forgetting import UnreachableError, compare, load, load_nano_beir
from acronis_pipeline.evaluate.report import Correlation, Forgetting
from acronis_pipeline.evaluate.setup import EvaluationSetup
from acronis_pipeline.evaluate.significance import CONFIDENCE, Interval
from acronis_pipeline.pairs.labelled import Tally, grade_in, text_in
from acronis_pipeline.store import Store

STS_COLUMNS = ("text1", "text2", "score")
_PUBLISHED_AS = {"text1": "sentence1", "text2": "sentence2"}
"""By the STS benchmark and what is made like it."""
_MIN_PAIRS = 10
_RESAMPLES = 2_000
_BATCH = 200
_SEED = 20_261_121

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledPair:
    """Two texts and how similar people find them, on any scale."""

    text1: str
    text2: str
    score: float


@dataclass(frozen=True)
class Checks:
    """Probes for forgetting by name, and labelled pairs by file name.

    `caveats` says what could not be had.
    """

    probes: Mapping[str, RetrievalDataset] = field(default_factory=dict)
    forgetting_tolerance: float = 0.0
    labelled_pairs: Mapping[str, tuple[LabelledPair, ...]] = field(default_factory=dict)
    caveats: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Digest of all that the findings depend on besides the models."""
        asked = (
            (name, question.query, passage)
            for name, dataset in self.probes.items()
            for question in dataset.test
            for passage in question.chunk_ids
        )
        searched = ((name, p.chunk_id, p.text) for name, dataset in self.probes.items() for p in dataset.passages)
        pairs = ((name, p.text1, p.text2, str(p.score)) for name, rows in self.labelled_pairs.items() for p in rows)
        parts = [digest_rows(rows) for rows in (asked, searched, pairs)]
        return digest(str(self.forgetting_tolerance), *parts, *self.caveats)

    def forgetting(self, store: Store, setup: EvaluationSetup) -> tuple[Forgetting, ...]:
        """The setup's fine-tuned model against its base on every probe."""
        if setup.fine_tuned is None:
            return ()
        models = (setup.base.encoder, setup.fine_tuned.encoder)
        return tuple(
            compare(store, name, dataset, *models, self.forgetting_tolerance) for name, dataset in self.probes.items()
        )

    def correlations(self, setup: EvaluationSetup) -> tuple[Correlation, ...]:
        """Base and fine-tuned model against the labels of every file."""
        indexed_models = {"base": setup.base} | ({"fine_tuned": setup.fine_tuned} if setup.fine_tuned else {})
        return tuple(
            correlation(name, system, indexed.encoder, pairs)
            for name, pairs in self.labelled_pairs.items()
            for system, indexed in indexed_models.items()
        )


def read(settings: EvaluationSettings) -> Checks:
    """The configured checks; a NanoBEIR subset that the hub does not give becomes a caveat."""
    checks = read_files(settings)
    probes, caveats = dict(checks.probes), []
    for name in settings.nano_beir:
        try:
            probes[name] = load_nano_beir(name)
        except UnreachableError as error:
            caveats.append(f"Not checked for forgetting on {name}: {error}.")
    return replace(checks, probes=probes, caveats=tuple(caveats))


def read_files(settings: EvaluationSettings) -> Checks:
    """The configured checks without those from the model hub: quick enough to try before anything else is done.

    Raises
    ------
    DatasetError
        If a file is missing or not what its format says.
    """
    probes = {name: load(name) for name in settings.probes}
    file = settings.sts_file
    return Checks(probes, settings.forgetting_tolerance, {file.name: tuple(read_labelled_pairs(file))} if file else {})


def correlation(file: str, system: str, encoder: Encoder, pairs: Sequence[LabelledPair]) -> Correlation:
    """Spearman correlation of a model's cosines with the labels.

    `text1` is encoded as a question and `text2` as a passage, as in a search.
    """
    questions = encoder.encode_queries([pair.text1 for pair in pairs])
    passages = encoder.encode_passages([pair.text2 for pair in pairs])
    cosines = (questions * passages).sum(axis=1)
    return Correlation(file, system, len(pairs), spearman(cosines, [pair.score for pair in pairs]))


def read_labelled_pairs(path: Path) -> list[LabelledPair]:
    """Pairs of a CSV or TSV file with a header, or of a JSONL file: `text1`, `text2`, `score`; other columns are free.

    Raises
    ------
    DatasetError
        Names the file if it cannot be read, or says that too few pairs or only one score are there.
    """
    tally = Tally()
    pairs: list[LabelledPair] = []
    for row, where in _labelled_rows(path, tally):
        if pair := _labelled_pair(row):
            pairs.append(pair)
        else:
            tally.add("line without two texts and a number", where)
    if len(pairs) < _MIN_PAIRS or len({pair.score for pair in pairs}) < 2:
        left_out = f"; left out: {tally}" if tally else ""
        raise DatasetError(
            f"{path} holds {len(pairs)} pairs with {len({pair.score for pair in pairs})} different scores; "
            f"a correlation needs at least {_MIN_PAIRS} pairs and 2 scores{left_out}"
        )
    if tally:
        _log.warning("%s: %d pairs; left out: %s", path, len(pairs), tally)
    return pairs


def spearman(cosines: Sequence[float] | np.ndarray, scores: Sequence[float]) -> Interval:
    """Rank correlation with its bootstrap percentile interval; pairs are resampled."""
    from scipy.stats import bootstrap

    sample = (np.asarray(cosines, float), np.asarray(scores, float))
    interval = bootstrap(
        sample,
        _rank_correlation,
        paired=True,
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=_BATCH,
        method="percentile",
        confidence_level=CONFIDENCE,
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return Interval(float(_rank_correlation(*sample)), float(interval.low), float(interval.high))


def _rank_correlation(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
    """Spearman along an axis; zero where one side is constant, as a resample can be (scipy's would be NaN)."""
    from scipy.stats import rankdata

    x, y = (rankdata(values, axis=axis) for values in (a, b))
    x, y = (values - values.mean(axis=axis, keepdims=True) for values in (x, y))
    spread = np.sqrt((x * x).sum(axis=axis) * (y * y).sum(axis=axis))
    return (x * y).sum(axis=axis) / np.where(spread > 0, spread, np.inf)


def _labelled_rows(path: Path, tally: Tally) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every row and its place."""
    text = read_text(path, DatasetError, "name a CSV, TSV or JSONL file in evaluation.sts_file, in UTF-8")
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        for row, where in json_lines(path, text, lambda where, _: tally.add("line that is no JSON", where)):
            yield (row if isinstance(row, dict) else {}), where
        return
    reader = csv.DictReader(StringIO(text, newline=""), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    names = reader.fieldnames or ()
    missing = [name for name in STS_COLUMNS if not {name, _PUBLISHED_AS.get(name)} & set(names)]
    if missing:
        raise DatasetError(f"{path}:1 has no column {' and '.join(missing)}; expected {', '.join(STS_COLUMNS)}")
    try:
        for row in reader:
            yield row, f"{path}:{reader.line_num}"
    except csv.Error as error:
        raise DatasetError(f"{path}:{reader.line_num} is malformed ({error}); mend or re-export it") from error


def _labelled_pair(row: Mapping[str, Any]) -> LabelledPair | None:
    """None for a row that lacks a text or whose score is no number."""
    one, other = (text_in(row.get(name)) or text_in(row.get(_PUBLISHED_AS[name])) for name in STS_COLUMNS[:2])
    score = grade_in(row.get("score"))
    return LabelledPair(one, other, float(score)) if one and other and score is not None else None
