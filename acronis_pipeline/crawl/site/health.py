"""Whether a site still answers."""

import logging

from acronis_pipeline.crawl.site.fetch import FetchError

_log = logging.getLogger(__name__)

MAX_FAILURES_IN_A_ROW = 25
"""After so many pages without one answer the site is taken to be down; asking on would only hurt it and us."""

_SILENCE = frozenset({"timeout", "connection", "host not found", "TLS"})


class Health:
    """Counts failures in a row; `silent` once there were too many, `heard` once the site answered anything."""

    def __init__(self) -> None:
        self.silent = self.heard = False
        self._failures = 0

    def answered(self, status: int = 200) -> None:
        """The site answered; 429 and 5xx are as bad as no answer."""
        self._note(answered=status < 500 and status != 429)

    def failed(self, error: FetchError) -> None:
        """A request failed, perhaps after an answer of some kind."""
        self._note(answered=error.reason not in _SILENCE)

    def _note(self, *, answered: bool) -> None:
        self.heard = self.heard or answered
        self._failures = 0 if answered else self._failures + 1
        if self._failures == MAX_FAILURES_IN_A_ROW:
            self.silent = True
            _log.warning("crawl: no answer from %d pages in a row; stopping here", MAX_FAILURES_IN_A_ROW)
