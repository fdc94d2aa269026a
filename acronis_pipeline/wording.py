"""Words of messages that depend on numbers."""


def counted(n: int, noun: str) -> str:
    """`1 page`, `2 pages`, `1,200 pages`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
