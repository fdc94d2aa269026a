"""A data folder in which the whole pipeline has run once, on a part of the sample site."""

import os
import shutil
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from acronis_pipeline import sample_site
from acronis_pipeline.api import PipelineResult, run
from acronis_pipeline.core.settings import ENV_PREFIX, Settings, load_settings
from acronis_pipeline.sample_site import EDITS_VARIABLE, GOLD_FILE, PORT_VARIABLE
from acronis_pipeline.store import Store
from acronis_pipeline.tracking import Tracker

RECIPE = "query_adapter"
NOT_CRAWLED = "Which tape drives do you support?"
"""A gold question whose page exists on the site but lies outside of what is crawled."""
NOT_YET = "docs/laptops"
"""A page that would be crawled, if the site had it."""
UNSCORED = "Who are your competitors?"
"""A gold question for which nobody said which page answers it."""

_PAGES = """
    docs/trial docs/licensing docs/editions docs/schedules docs/retention docs/versions docs/file-backup docs/agents
    docs/disk-backup docs/rpo-rto docs/recovery-overview docs/recover-files docs/bare-metal-restore docs/bootable-media
    docs/instant-restore docs/encryption docs/standard/quick-start docs/advanced/quick-start
    troubleshooting/backup-errors faq/backup faq/recovery faq/licensing
""".split()
_N_GOLD = 16
_VARIABLES_OF_OTHERS = ("OPENAI_API_KEY", "OPENAI_BASE_URL")


@dataclass(frozen=True)
class FinishedRun:
    """Where it ran, with what, and what came of it.

    `pages` are the crawled paths without slashes; `edits` is the folder whose files shadow the site's pages.
    """

    data_dir: Path
    edits: Path
    port: int
    profile: dict[str, Any]
    outcome: PipelineResult
    pages: tuple[str, ...] = tuple(_PAGES)

    @property
    def site_url(self) -> str:
        return sample_site.base_url(self.port)

    @property
    def store(self) -> Store:
        return Store(self.settings().store_uri)

    @property
    def tracker(self) -> Tracker:
        return Tracker.of(self.settings())

    def settings(self, **overrides: Any) -> Settings:
        return load_settings(self.data_dir, **overrides)

    def run_again(self, **overrides: Any) -> PipelineResult:
        return run(self.settings(**overrides), [RECIPE], profile=self.profile)

    def url(self, path: str) -> str:
        return f"{self.site_url}{path}/"

    def edit(self, path: str, old: str, new: str) -> None:
        """Shadow the bundled page by a copy in which the first `old` is `new`."""
        text = (Path(sample_site.__file__).parent / "pages" / f"{path}.html").read_text("utf-8")
        assert old in text
        self._shadow(path, text.replace(old, new, 1))

    def take_down(self, path: str) -> None:
        """Let the site answer 410 for a page."""
        self._shadow(path, "")

    def copied_to(self, folder: Path) -> "FinishedRun":
        """The same state in a folder of its own; models, which are never written to, are the same files."""
        data_dir, edits = folder / "data", folder / "edits"
        shutil.copytree(self.data_dir, data_dir, ignore=shutil.ignore_patterns("models", "mlartifacts", "*.lock"))
        shutil.copytree(self.data_dir / "models", data_dir / "models", copy_function=os.link)
        edits.mkdir()
        return replace(self, data_dir=data_dir, edits=edits)

    def enter(self, monkeypatch: pytest.MonkeyPatch, *, working_dir: Path) -> None:
        """Select this folder for everything that reads the environment, and no setting from outside."""
        for name in _VARIABLES_OF_OTHERS:
            monkeypatch.delenv(name, raising=False)
        set_environment(
            monkeypatch,
            {
                PORT_VARIABLE: str(self.port),
                EDITS_VARIABLE: str(self.edits),
                # `prepare_home` sets these two for good; set here first, they are restored after the test.
                "DAGSTER_HOME": str(self.data_dir / "dagster"),
                f"{ENV_PREFIX}DATA_DIR": str(self.data_dir),
            },
        )
        monkeypatch.chdir(working_dir)

    def _shadow(self, path: str, text: str) -> None:
        file = self.edits / f"{path}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


def set_environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def make(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    """Run the pipeline, website to champion, through the Dagster graph."""
    data_dir, edits, working_dir = folder / "data", folder / "edits", folder / "cwd"
    edits.mkdir()
    working_dir.mkdir()
    profile = {
        "site": {"url": "sample", "include": [rf":\d+/({'|'.join([*_PAGES, NOT_YET])})?/?$"]},
        "gold_file": str(_write_gold(folder / "gold.yaml")),
        "pairs": {"max_per_chunk": 2},
    }
    planned = FinishedRun(data_dir, edits, free_port(), profile, outcome=None)  # pyright: ignore[reportArgumentType]
    planned.enter(monkeypatch, working_dir=working_dir)
    return replace(planned, outcome=run(load_settings(data_dir, **profile), [RECIPE], profile=profile))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _write_gold(file: Path) -> Path:
    """The first bundled questions that the crawled pages answer, one that they do not, and one without an answer."""
    bundled = yaml.safe_load(GOLD_FILE.read_text("utf-8"))
    answerable = [q for q in bundled if all(url.strip("/") in _PAGES for url in q["expected_urls"])]
    chosen = [
        *answerable[:_N_GOLD],
        {"question": NOT_CRAWLED, "expected_urls": ["/docs/tape/"]},
        {"question": UNSCORED},
    ]
    file.write_text(yaml.safe_dump(chosen), "utf-8")
    return file
