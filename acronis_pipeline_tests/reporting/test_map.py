import numpy as np

from acronis_pipeline.reporting.embedding_map import Placed, _pictures

_RNG = np.random.default_rng(7)


def unit(shape: tuple[int, ...]) -> np.ndarray:
    vectors = _RNG.normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def placed(system: str = "base", n: int = 12, dimension: int = 16, *, near: float = 1.0) -> Placed:
    """Questions close to their right passages, and one rival each."""
    right = unit((n, dimension))
    questions = near * right + (1 - near) * unit((n, dimension))
    questions /= np.linalg.norm(questions, axis=1, keepdims=True)
    return Placed(system, questions, right, unit((n, dimension)), tuple((row,) for row in range(n)))


def test_question_on_its_right_passage_is_drawn_there_and_counts_as_first() -> None:
    (picture,) = _pictures([placed()], ["q"] * 12, shared=False)
    assert picture.n_first == 12
    assert picture.cosine > 0.999
    assert all((pair.x, pair.y) == (pair.right_x, pair.right_y) and pair.first for pair in picture.pairs)
    assert 0 < picture.explained < 1


def test_margin_is_the_lead_over_the_closest_rival_in_all_dimensions() -> None:
    axes = np.eye(4, dtype=np.float32)
    one = Placed("base", axes[:2], axes[:2], axes[:3], ((1, 2), (1,)))
    assert one.margins.tolist() == [1.0, 0.0]


def test_question_without_rivals_leads_by_its_cosine() -> None:
    axes = np.eye(3, dtype=np.float32)
    assert Placed("base", axes[:1], axes[:1], axes[:0], ((),)).margins.tolist() == [1.0]


def test_second_picture_is_turned_to_lie_like_the_first() -> None:
    first = placed(near=0.7)
    rotation = np.linalg.qr(_RNG.normal(size=(16, 16)))[0].astype(np.float32)
    parts = (first.questions, first.right, first.rivals)
    turned = Placed("fine_tuned", *(part @ rotation for part in parts), first.rivals_of)
    before, after = _pictures([first, turned], ["q"] * 12, shared=False)
    for one, other in zip(before.pairs, after.pairs, strict=True):
        assert abs(one.x - other.x) < 1
        assert abs(one.y - other.y) < 1


def test_models_that_place_passages_alike_share_their_axes() -> None:
    base = placed(near=0.5)
    tuned = Placed("fine_tuned", base.right, base.right, base.rivals, base.rivals_of)
    before, after = _pictures([base, tuned], ["q"] * 12, shared=True)
    assert before.rivals == after.rivals
    assert [(p.right_x, p.right_y) for p in before.pairs] == [(p.right_x, p.right_y) for p in after.pairs]
    assert [(p.x, p.y) for p in before.pairs] != [(p.x, p.y) for p in after.pairs]
