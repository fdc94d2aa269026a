"""Weights between the base model and a tuned one.

Averaging with the base keeps most of what was learnt and undoes much of what was forgotten (WiSE-FT, LM-Cocktail); with
few training questions the middle is often better than either end.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

_log = logging.getLogger(__name__)


def between(base: dict[str, Any], tuned: dict[str, Any], share: float) -> dict[str, Any]:
    """State dict `(1 - share) * base + share * tuned`; what is not floating point stays the tuned one's."""
    import torch

    return {
        name: torch.lerp(base[name], tensor, share) if tensor.is_floating_point() else tensor
        for name, tensor in tuned.items()
    }


def choose_share(
    mix: Callable[[float], object], *, tuned_value: float, shares: Sequence[float], value: Callable[[], float]
) -> float:
    """The share of the tuned weights in the best of them and the mixtures; the last that was tried stays in the model.

    The base itself is in the race elsewhere: every method's result meets it on the whole corpus.

    Parameters
    ----------
    mix
        Puts a share of what was learnt, and the rest of the base, into the model.
    value
        Measures the model as it is; `tuned_value` is what it gave for the tuned weights.
    """
    best_share, best_value = 1.0, tuned_value
    for share in shares:
        mix(share)
        found = value()
        _log.info("%.0f %% tuned and %.0f %% base: validation nDCG@10 %.4f", 100 * share, 100 * (1 - share), found)
        if found > best_value:
            best_share, best_value = share, found
    return best_share
