"""The picture of a training in the metadata of its materialization."""

from acronis_pipeline.reporting.plots import _curve, learning_curves

HISTORY = [
    {"step": 0, "epoch": 0.0, "ndcg_at_10": 0.5, "hit_rate_at_5": 0.6},
    {"step": 4, "epoch": 0.5, "loss": 0.9, "lr": 1e-4},
    {"step": 8, "epoch": 1.0, "loss": 0.7, "lr": 1e-4},
    {"step": 8, "epoch": 1.0, "ndcg_at_10": 0.6, "hit_rate_at_5": 0.7},
]


def test_learning_curves_are_an_image() -> None:
    assert (learning_curves(HISTORY, "epoch 1") or b"").startswith(b"\x89PNG")


def test_validation_begins_with_the_untouched_base_and_loss_with_the_first_steps() -> None:
    assert _curve(HISTORY, "ndcg_at_10") == ([0, 8], [0.5, 0.6])
    assert _curve(HISTORY, "loss") == ([4, 8], [0.9, 0.7])


def test_a_training_without_measurements_has_no_picture() -> None:
    assert learning_curves([], "step 0") is None
