"""Making pages of answers, beside the event loop and, once there are many, in other processes."""

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from acronis_pipeline.content import Content, extract
from acronis_pipeline.content.extractor import Extractors
from acronis_pipeline.core.errors import AcronisPipelineError
from acronis_pipeline.crawl.fetching.fetch import Answer, FetchError
from acronis_pipeline.crawl.judging import verdict
from acronis_pipeline.crawl.judging.non_pages import EMPTY_WITHOUT_SCRIPTS
from acronis_pipeline.crawl.judging.verdict import Reading
from acronis_pipeline.crawl.memory.archive import Archive
from acronis_pipeline.crawl.running.render import Renderer
from acronis_pipeline.crawl.running.session import Session

_log = logging.getLogger(__name__)

N_READ_HERE = 100
"""Pages read before other processes are worth their start, if by then several wait at once."""
LONG_BYTES = 20_000
"""A page like this is read in another process from the first one on, where its time is limited."""
READ_LIMIT_S = 60.0
"""For one page; 10 MB of ordinary markup take a few seconds."""
_N_PDFS = 2


class Read(NamedTuple):
    """A page as read; `same` if it differs from the stored one only because another extractor read that."""

    answer: Answer
    reading: Reading
    same: bool


class Reader:
    """Reads answers, rendering them first where they are empty without their scripts. `close` it.

    `n_pdfs_waiting` are being read or wait for that: seconds each, in which other pages can be asked for and read.
    """

    def __init__(self, session: Session, archive: Archive, renderer: Renderer | None) -> None:
        self._session, self._archive, self._renderer = session, archive, renderer
        n_processes = min(2, os.cpu_count() or 1)
        self._extractors = Extractors(n_processes, limit_s=READ_LIMIT_S)
        # One thread: extraction holds the GIL most of the time, and the event loop needs its share of it.
        self._here = ThreadPoolExecutor(1, thread_name_prefix="crawl-read")
        # These wait for other processes; one more of them, to judge what came from one while they all read.
        self._elsewhere = ThreadPoolExecutor(n_processes + 1, thread_name_prefix="crawl-read-elsewhere")
        self._pdfs = ThreadPoolExecutor(_N_PDFS, thread_name_prefix="crawl-read-pdf")
        self._n_read = self._n_waiting = self.n_pdfs_waiting = 0

    def close(self) -> None:
        for threads in (self._here, self._elsewhere, self._pdfs):
            threads.shutdown(wait=False, cancel_futures=True)
        self._extractors.close()

    async def read(self, answer: Answer) -> Read | None:
        """The page; None if it breaks the parser, which costs that page only."""
        read = await self._read(answer)
        if read is None or self._renderer is None or read.reading.no_page != EMPTY_WITHOUT_SCRIPTS:
            return read
        try:
            rendered = await self._renderer.rendered(answer)
        except FetchError as error:
            _log.warning("%s", error)
            return read
        return await self._read(rendered)

    async def _read(self, answer: Answer) -> Read | None:
        try:
            return await self._dispatched(answer)
        except (AcronisPipelineError, ImportError):
            raise  # the settings' or the installation's fault, on every page
        except Exception as error:
            # Whatever a parser makes of the web's markup.
            _log.warning("%s cannot be read (%s: %s)", answer.url, type(error).__name__, error)
            return None

    async def _dispatched(self, answer: Answer) -> Read:
        run = asyncio.get_running_loop().run_in_executor
        if self._session.formats.is_pdf(answer):
            self.n_pdfs_waiting += 1
            try:
                return await run(self._pdfs, self._now, answer, self._extractors.extract)
            finally:
                self.n_pdfs_waiting -= 1
        self._n_read += 1
        self._n_waiting += 1
        busy = self._n_read > N_READ_HERE and self._n_waiting > 1
        try:
            if busy or len(answer.body) > LONG_BYTES:
                return await run(self._elsewhere, self._now, answer, self._extractors.extract)
            return await run(self._here, self._now, answer, extract)
        finally:
            self._n_waiting -= 1

    def _now(self, answer: Answer, extracting: Callable[..., Content]) -> Read:
        session = self._session
        reading = verdict.read(
            answer,
            session.site,
            session.scope,
            languages=session.languages,
            formats=session.formats,
            not_found=session.not_found,
            extracting=extracting,
        )
        same = self._archive.same_but_for_extractor(answer.url, reading, extracting)
        return Read(answer, reading, same)
