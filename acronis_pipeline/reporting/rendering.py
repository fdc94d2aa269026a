"""The page as text: numbers, and the names, colours and shapes that systems keep through all its figures.

Whatever comes from a site or a question is escaped by the template engine, without exception.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import jinja2

from acronis_pipeline.evaluate.significance import Difference, Interval

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
_LEAST_P = 0.001


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


def fill(template: str, **values: Any) -> str:
    """A template of this package with its values."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__ or ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        label=label,
        meaning=meaning,
        score=score,
        percent=percent,
        interval=interval,
        difference=difference,
        p_value=p_value,
        signed=signed,
        size=size,
        milliseconds=milliseconds,
        tens=tens,
        web_address=web_address,
    )
    return environment


def score(value: float) -> str:
    return f"{value:.3f}"


def percent(value: float) -> str:
    return f"{100 * value:.0f}\u00a0%"


def interval(value: Interval | Difference) -> str:
    """`0.874 [0.842, 0.903]`."""
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


def difference(value: Difference) -> str:
    """`+0.062 [+0.031, +0.094]`."""
    return f"{signed(value.mean)} [{signed(value.low)}, {signed(value.high)}]"


def signed(value: float, decimals: int = 3) -> str:
    """With its sign, and a minus sign rather than a hyphen."""
    return f"{value:+.{decimals}f}".replace("-", "−")


def p_value(value: float) -> str:
    """`p < 0.001` or `p = 0.034`."""
    return f"p < {_LEAST_P}" if value < _LEAST_P else f"p = {value:.3f}"


def milliseconds(value: float) -> str:
    return f"{tens(value)}\u00a0ms"


def tens(value: float) -> str:
    """Two digits at least: `3.2`, `14`."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def size(value_bytes: float) -> str:
    """Decimal units, as disks are sold: `1.8 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if value_bytes < 1000:
            decimals = 0 if value_bytes >= 100 or unit == "B" else 1
            return f"{value_bytes:.{decimals}f}\u00a0{unit}"
        value_bytes /= 1000
    return f"{value_bytes:.1f}\u00a0TB"


def web_address(url: str | None) -> str | None:
    """The address if a browser may follow it, None for any other scheme: a page could be called `javascript:…`."""
    return url if url and urlsplit(url).scheme in ("http", "https") else None
