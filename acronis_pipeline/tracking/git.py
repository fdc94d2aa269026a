"""Which state of the code made a run."""

import subprocess
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


@cache
def git_tags() -> dict[str, str]:
    """MLflow's tags for commit and uncommitted changes; empty outside a checkout, such as in an installed wheel.

    Asked once a process: what runs is what was imported, whatever is checked out later.
    """
    if not (_ROOT / ".git").exists():  # a virtual environment may lie in the checkout of something else
        return {}
    commit, changes = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return {}
    return {"mlflow.source.git.commit": commit, "mlflow.source.git.dirty": str(bool(changes)).lower()}


def _git(*arguments: str) -> str | None:
    """What git says; None if it is not installed, or refuses this folder (one of another user's)."""
    try:
        done = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, timeout=20)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
