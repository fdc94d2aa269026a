"""What a report says of the models themselves, besides how systems rank the site's passages.

Whether they forgot (`forgetting`), and how well their cosines agree with the similarities that people gave to pairs of
texts. Files are read before anything is computed, so that a malformed one costs no evaluation.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from acronis_pipeline.core.dataset import RetrievalDataset
from acronis_pipeline.core.errors import DatasetError
from acronis_pipeline.core.files import json_lines
from acronis_pipeline.core.hashing import digest, digest_rows
from acronis_pipeline.core.settings import EvaluationSettings
from acronis_pipeline.encoders import Encoder
from acronis_pipeline.evaluate.forgetting import UnreachableError, compare, load, load_nano_beir
from acronis_pipeline.evaluate.report import Correlation, Forgetting
from acronis_pipeline.evaluate.setup import EvaluationSetup
from acronis_pipeline.evaluate.significance import CONFIDENCE, Interval
from acronis_pipeline.store import Store

STS_COLUMNS = ("text1", "text2", "score")
_MIN_PAIRS = 10
_RESAMPLES = 2_000
_BATCH = 200
_SEED = 20_261_121


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
        Names the file and the line that is wrong, or says that too few pairs or only one score are there.
    """
    pairs = [_labelled_pair(row, where) for row, where in _labelled_rows(path)]
    if len(pairs) < _MIN_PAIRS or len({pair.score for pair in pairs}) < 2:
        raise DatasetError(
            f"{path} holds {len(pairs)} pairs with {len({pair.score for pair in pairs})} different scores; "
            f"a correlation needs at least {_MIN_PAIRS} pairs and 2 scores"
        )
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


def _labelled_rows(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every row and its place."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; name a CSV, TSV or JSONL file in evaluation.sts_file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as UTF-8 text ({error}); re-export it") from error
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from _labelled_lines(path, text)
        return
    reader = csv.DictReader(StringIO(text, newline=""), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    missing = [name for name in STS_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise DatasetError(f"{path}:1 has no column {' and '.join(missing)}; expected {', '.join(STS_COLUMNS)}")
    try:
        for row in reader:
            yield row, f"{path}:{reader.line_num}"
    except csv.Error as error:
        raise DatasetError(f"{path}:{reader.line_num} is malformed ({error}); mend or re-export it") from error


def _labelled_lines(path: Path, text: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    for row, where in json_lines(path, text.split("\n")):
        if not isinstance(row, dict):
            raise DatasetError(f"{where} is no object; expected one with {', '.join(STS_COLUMNS)}")
        yield row, where


def _labelled_pair(row: Mapping[str, Any], where: str) -> LabelledPair:
    texts = [row.get(name) for name in STS_COLUMNS[:2]]
    for name, text in zip(STS_COLUMNS, texts, strict=False):
        if not isinstance(text, str) or not text.strip():
            raise DatasetError(f"{where} has no {name}; remove or mend the line")
    try:
        score = float(row.get("score"))  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        score = float("nan")
    if not isfinite(score):
        raise DatasetError(f"{where}: score is {row.get('score')!r}; expected a number")
    return LabelledPair(str(texts[0]), str(texts[1]), score)
