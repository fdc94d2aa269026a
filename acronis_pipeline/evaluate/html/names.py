"""What systems are called on the page, and the colour and shape that each keeps through all its figures."""

from collections.abc import Iterable

_LABELS = {
    "bm25": ("BM25", "word search, no model"),
    "base": ("Base", "the untouched base model, with the windows and prompts of the recipe"),
    "fine_tuned": ("Fine-tuned", "the recipe's model alone"),
    "hybrid_base": ("Base + BM25", "both rankings of the untouched side, mixed"),
    "hybrid": ("Hybrid", "the recipe's model and BM25, mixed"),
    "hybrid_rerank": ("Hybrid + rerank", "the hybrid's first passages in a cross-encoder's order"),
    "hybrid_mmr": ("Hybrid, varied", "the hybrid with near-repetitions moved down"),
    "champion": ("Champion", "what answers questions today"),
}
_EXTERNAL = "external:"
N_OTHER_STYLES = 3
"""Colours and shapes for systems that are not known by name, used in turn."""


def label(system: str) -> str:
    """Short name for people; a system that is not known keeps its own."""
    if system.startswith(_EXTERNAL):
        return system.removeprefix(_EXTERNAL)
    return _LABELS[system][0] if system in _LABELS else system


def meaning(system: str) -> str:
    """What a system is, in half a sentence."""
    if system.startswith(_EXTERNAL):
        return "an embedding service, for comparison"
    return _LABELS[system][1] if system in _LABELS else "as configured"


def styles(systems: Iterable[str]) -> dict[str, str]:
    """CSS class, and id of the mark, of every system."""
    others = (system for system in dict.fromkeys(systems) if system not in _LABELS)
    numbered = {system: f"other-{n % N_OTHER_STYLES}" for n, system in enumerate(others)}
    return {system: numbered.get(system, system.replace("_", "-")) for system in systems}
