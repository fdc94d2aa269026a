"""The page as text. Whatever comes from a site or a question is escaped by the template engine, without exception."""

from functools import cache
from typing import Any
from urllib.parse import urlsplit

import jinja2

from acronis_pipeline.evaluate.html import names
from acronis_pipeline.evaluate.significance import Difference, Interval

_LEAST_P = 0.001


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
        label=names.label,
        meaning=names.meaning,
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
