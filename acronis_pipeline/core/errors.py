"""The errors a user can meet: each message says what was found, where, and what to do about it.

The CLI prints them as one line with exit code 2; anything else is a bug and keeps its traceback. `counted` writes the
numbers in them.
"""


class AcronisPipelineError(Exception):
    """Base of every error that the user can act on."""


class SettingsError(AcronisPipelineError):
    """A setting, or a combination of settings, cannot work."""


class StoreError(AcronisPipelineError):
    """A table is not what this version of the program reads and writes."""


class DamagedTableError(StoreError):
    """A table's files are cut, missing or of another kind; `table` is its name."""

    def __init__(self, message: str, table: str) -> None:
        super().__init__(message)
        self.table = table


class SiteError(AcronisPipelineError):
    """The website cannot be crawled as configured: unreachable, forbidden, or without a single page."""


class SiteDownError(SiteError):
    """The website does not answer now; it may later."""


class UnknownPageError(AcronisPipelineError):
    """An address, a version of a page or a date that nothing on record belongs to."""


class UnknownRunError(AcronisPipelineError):
    """A recipe, report, run, system or metric that nothing on record belongs to."""


class FilterError(AcronisPipelineError):
    """No passage meets the conditions that a search was narrowed by."""


class EmptyCorpusError(AcronisPipelineError):
    """A stage found nothing to work on; what the stage last wrote is still there."""


class DatasetError(AcronisPipelineError):
    """A file of questions, pairs or passages is not what its format says."""


class OutputError(AcronisPipelineError):
    """A file that was asked for cannot be written."""


class DamagedDatabaseError(AcronisPipelineError):
    """A database of MLflow or Dagster in the data folder is cut or none at all."""


class RecipeError(AcronisPipelineError):
    """A recipe is unknown, malformed or asks for an impossible combination."""


class ModelError(AcronisPipelineError):
    """A base model cannot be loaded, or a published model does not do what was asked of it."""


class LeakError(AcronisPipelineError):
    """A model was about to be judged by what it was trained on."""


class IdentityMismatchError(AcronisPipelineError):
    """Vectors of one model were about to be compared with vectors of another."""


class GeneratorError(AcronisPipelineError):
    """The question generator cannot run: no key, no endpoint, or every answer failed."""


class NoChampionError(AcronisPipelineError):
    """Nothing has been promoted yet, so there is nothing to answer from."""


class TrackingError(AcronisPipelineError):
    """MLflow does not answer, or refuses what was asked."""


class ChampionError(AcronisPipelineError):
    """The champion cannot be chosen or moved as asked; it stays the one that it was."""


class CheckFailedError(AcronisPipelineError):
    """A blocking check stopped bad data from going on."""


def counted(n: int, noun: str) -> str:
    """`1 page`, `2 pages`, `1,200 pages`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
