"""The objective, the learning-rate schedule and the mixing of weights, as formulas."""

from itertools import pairwise

import pytest
import torch

from acronis_pipeline.finetune.encoder_training import between, choose_share
from acronis_pipeline.finetune.losses import info_nce
from acronis_pipeline.finetune.parameters import Schedule

pytestmark = pytest.mark.model


def test_with_one_answer_it_is_cross_entropy() -> None:
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 3, 6, 3, 1])
    positive = torch.nn.functional.one_hot(target, 7).bool()
    torch.testing.assert_close(info_nce(logits, positive), torch.nn.functional.cross_entropy(logits, target))


def test_a_second_answer_is_not_pushed_away() -> None:
    logits = torch.tensor([[2.0, 2.0, 0.0]], requires_grad=True)
    info_nce(logits, torch.tensor([[True, True, False]])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] < 0 < logits.grad[0, 2]


def test_rate_rises_over_the_warm_up_and_falls_to_the_end() -> None:
    schedule = Schedule(steps=100, learning_rate=1.0, warmup=0.1, evaluations=4)
    rates = [schedule.rate_at(step) for step in range(100)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert all(earlier > later for earlier, later in pairwise(rates[10:]))
    assert 0 < rates[-1] < 0.02
    assert schedule.looks == {25, 50, 75, 100}


def test_without_warm_up_it_starts_at_the_full_rate() -> None:
    assert Schedule(steps=3, learning_rate=0.5, warmup=0, evaluations=9).rate_at(0) == 0.5


def test_more_evaluations_than_steps_look_after_every_step() -> None:
    assert Schedule(steps=3, learning_rate=1, warmup=0, evaluations=9).looks == {1, 2, 3}


def test_half_way_between_two_models() -> None:
    base, tuned = {"w": torch.zeros(2), "n": torch.tensor(1)}, {"w": torch.ones(2), "n": torch.tensor(5)}
    mixed = between(base, tuned, 0.5)
    assert mixed["w"].tolist() == [0.5, 0.5]
    assert mixed["n"] == 5


@pytest.mark.parametrize(("best_at", "share"), [(0.5, 0.5), (0.75, 0.75), (1.0, 1.0)])
def test_share_with_the_best_value_is_chosen(best_at: float, share: float) -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    base, tuned = {"weight": torch.zeros(1, 1)}, {"weight": torch.ones(1, 1)}
    chosen = choose_share(
        lambda share: model.load_state_dict(between(base, tuned, share)),
        tuned_value=-abs(1.0 - best_at),
        shares=(0.5, 0.75),
        value=lambda: -abs(model.weight.item() - best_at),
    )
    assert chosen == share
