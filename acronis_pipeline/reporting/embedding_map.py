"""Questions and their right passages in the plane, as the untouched base and as the tuned model place them.

A plane keeps little of some hundred dimensions. So the pictures say how much, and the figures beside them are taken in
all dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from acronis_pipeline.core.hashing import digest
from acronis_pipeline.encoders import Encoder
from acronis_pipeline.encoders.vector_cache import read_column
from acronis_pipeline.index import IndexedModel
from acronis_pipeline.reporting.charts import Scale
from acronis_pipeline.reporting.questions import Asked
from acronis_pipeline.store import Store, is_in, tables

_QUESTIONS, _FEWEST = 24, 5
_RIVALS = 5
"""First passages of each question that are not right: the ones it could be confused with."""
_WIDTH, _HEIGHT, _MARGIN = 540, 430, 14


@dataclass(frozen=True)
class Placed:
    """Where one model has the questions, their right passages (row by row) and the rivals: unit vectors, (n, dim)."""

    system: str
    questions: np.ndarray
    right: np.ndarray
    rivals: np.ndarray
    rivals_of: tuple[tuple[int, ...], ...]

    @property
    def margins(self) -> np.ndarray:
        """Cosine with the right passage minus the greatest cosine with one of the question's rivals, shape (n,)."""
        closest = [
            float((self.rivals[list(rows)] @ question).max()) if rows else 0.0
            for question, rows in zip(self.questions, self.rivals_of, strict=True)
        ]
        return self.cosines - np.asarray(closest)

    @property
    def cosines(self) -> np.ndarray:
        """Cosine of each question with its right passage, shape (n,)."""
        return (self.questions * self.right).sum(axis=1)


@dataclass(frozen=True)
class Pair:
    """A question and its right passage, px; `first` says that no rival is closer to the question."""

    x: float
    y: float
    right_x: float
    right_y: float
    first: bool
    query: str


@dataclass(frozen=True)
class Picture:
    """One model's map. `explained` is the share of variance that the plane shows; medians are in all dimensions."""

    system: str
    width: int
    height: int
    pairs: tuple[Pair, ...]
    rivals: tuple[tuple[float, float], ...]
    explained: float
    cosine: float
    margin: float
    n_first: int


@dataclass(frozen=True)
class Map:
    """The pictures side by side; `same_passages` says that both models place passages alike, so axes are shared."""

    pictures: tuple[Picture, ...]
    same_passages: bool


def draw(store: Store, asked: Sequence[Asked], models: dict[str, IndexedModel]) -> Map | None:
    """The same sample of synthetic test questions by each of `models`, named after their systems.

    Vectors of passages are read from the tables; the sampled questions alone are encoded. None with too few questions,
    those left out whose passage has left the index.
    """
    sample = _sample(asked)
    if len(sample) < _FEWEST or not models:
        return None
    vectors = {system: _vectors(store, model, sample) for system, model in models.items()}
    sample = [question for question in sample if all(question.relevant[0] in known for known in vectors.values())]
    if len(sample) < _FEWEST:
        return None
    placed = [_place(system, model.encoder, sample, vectors[system]) for system, model in models.items()]
    fingerprints = {model.encoder.identity.document_fingerprint for model in models.values()}
    shared = len(fingerprints) == 1 and len(placed) > 1
    return Map(tuple(_pictures(placed, [question.query for question in sample], shared=shared)), shared)


def _sample(asked: Sequence[Asked]) -> list[Asked]:
    """A fixed choice, one question a page while pages last: the same questions whatever else a report holds."""
    known = [question for question in asked if question.question_set == "synthetic" and question.relevant]
    shuffled = sorted(known, key=lambda question: digest(question.question_id))
    first_of_page = {question.group: question.question_id for question in reversed(shuffled)}
    firsts = set(first_of_page.values())
    return sorted(shuffled, key=lambda question: question.question_id not in firsts)[:_QUESTIONS]


def _vectors(store: Store, model: IndexedModel, sample: Sequence[Asked]) -> dict[str, np.ndarray]:
    """Vectors of the right passages and the rivals that are still in the table, the mean of a passage's windows."""
    ids = {chunk_id for question in sample for chunk_id in (question.relevant[0], *_rivals(question))}
    identity = model.encoder.identity
    passages = tables.passages(model.table, identity.dimension, windowed=identity.windowed)
    rows = store.read(passages, columns=["chunk_id", "vector"], where=is_in("chunk_id", sorted(ids)))
    matrix = read_column(rows.column("vector")).centres()
    return dict(zip(rows.column("chunk_id").to_pylist(), matrix, strict=True))


def _place(system: str, encoder: Encoder, sample: Sequence[Asked], vectors: dict[str, np.ndarray]) -> Placed:
    rivals = [[chunk_id for chunk_id in _rivals(question) if chunk_id in vectors] for question in sample]
    row_of = {chunk_id: n for n, chunk_id in enumerate(dict.fromkeys(chunk_id for part in rivals for chunk_id in part))}
    return Placed(
        system=system,
        questions=encoder.encode_queries([question.query for question in sample]),
        right=np.stack([vectors[question.relevant[0]] for question in sample]),
        rivals=np.array([vectors[chunk_id] for chunk_id in row_of]).reshape(-1, encoder.identity.dimension),
        rivals_of=tuple(tuple(row_of[chunk_id] for chunk_id in part) for part in rivals),
    )


def _rivals(question: Asked) -> tuple[str, ...]:
    """The first passages of every system that are not right, so that both models meet the same ones."""
    right = set(question.relevant)
    found: dict[str, None] = {}
    for row in question.rows.values():
        rank = row["first_relevant_rank"]
        retrieved = [chunk_id for n, chunk_id in enumerate(row["retrieved"] or [], start=1) if n != rank]
        found |= dict.fromkeys(chunk_id for chunk_id in retrieved[:_RIVALS] if chunk_id not in right)
    return tuple(found)


def _pictures(placed: Sequence[Placed], queries: Sequence[str], *, shared: bool) -> list[Picture]:
    """Principal components of questions and right passages; the second picture is turned to lie like the first."""
    fitted_to = [np.concatenate([part.questions, part.right]) for part in placed]
    if shared:
        fitted_to = [np.concatenate(fitted_to)] * len(placed)
    planes = [_plane(points) for points in fitted_to]
    if not shared:
        first = planes[0].project(fitted_to[0])
        planes[1:] = [plane.turned(first, points) for plane, points in zip(planes[1:], fitted_to[1:], strict=True)]
    drawn = [
        plane.project(np.concatenate([part.questions, part.right, part.rivals]))
        for plane, part in zip(planes, placed, strict=True)
    ]
    scales = _scales(drawn, shared=shared)
    return [
        _picture(part, points, plane.explained, scale, queries)
        for part, points, plane, scale in zip(placed, drawn, planes, scales, strict=True)
    ]


@dataclass(frozen=True)
class _Plane:
    """Mean (dim,) and two directions (dim, 2) of some points, and the share of their variance that these show."""

    center: np.ndarray
    axes: np.ndarray
    explained: float

    def project(self, points: np.ndarray) -> np.ndarray:
        return (points - self.center) @ self.axes

    def turned(self, onto: np.ndarray, points: np.ndarray) -> "_Plane":
        """Rotated and mirrored so that `points` lie as `onto` does (orthogonal Procrustes): components have no sign."""
        left, _, right = np.linalg.svd(self.project(points).T @ onto)
        return replace(self, axes=self.axes @ left @ right)


def _plane(points: np.ndarray) -> _Plane:
    center = points.mean(axis=0)
    _, strengths, directions = np.linalg.svd(points - center, full_matrices=False)
    variances = strengths**2
    return _Plane(center, directions[:2].T, float(variances[:2].sum() / max(float(variances.sum()), 1e-12)))


def _scales(planes: Sequence[np.ndarray], *, shared: bool) -> list[tuple[Scale, Scale]]:
    """One unit for both axes of a picture; one for both pictures where the axes are shared."""
    bounds = [(plane.min(axis=0), plane.max(axis=0)) for plane in planes]
    if shared:
        low, high = (np.min([b[0] for b in bounds], axis=0), np.max([b[1] for b in bounds], axis=0))
        bounds = [(low, high)] * len(planes)
    found: list[tuple[Scale, Scale]] = []
    for low, high in bounds:
        width, height = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
        unit = max((high - low)[0] / width, (high - low)[1] / height, 1e-9)
        (x, y), (dx, dy) = (low + high) / 2, (unit * width / 2, unit * height / 2)
        found.append(
            (
                Scale(x - dx, x + dx, _MARGIN, _WIDTH - _MARGIN),
                Scale(y - dy, y + dy, _HEIGHT - _MARGIN, _MARGIN),
            )
        )
    return found


def _picture(
    part: Placed, points: np.ndarray, explained: float, scales: tuple[Scale, Scale], queries: Sequence[str]
) -> Picture:
    to_x, to_y = scales
    at = [(to_x(float(x)), to_y(float(y))) for x, y in points]
    n, margins = len(queries), part.margins
    pairs = tuple(
        Pair(*at[row], *at[n + row], first=bool(margins[row] >= 0), query=query) for row, query in enumerate(queries)
    )
    return Picture(
        part.system,
        _WIDTH,
        _HEIGHT,
        pairs,
        tuple(at[2 * n :]),
        explained,
        float(np.median(part.cosines)),
        float(np.median(margins)),
        int((margins >= 0).sum()),
    )
