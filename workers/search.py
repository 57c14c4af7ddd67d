"""Does what the index of search is owed: bulk, files, words."""

from circle.archive.search import catching_up, reading_files
from circle.archive.search.indexing import CATCH_UP
from circle.kernel.uow import Units
from workers.runtime import in_turns, job


@job
def catch_up(units: Units) -> int:
    """Index what was written, and read attached text files."""
    done, is_more = catching_up.catch_up(units, rounds=catching_up.ROUNDS)
    if is_more:
        units.doorbell.ring(CATCH_UP)
    return done + reading_files.read_files(units)


@job
def find_words(units: Units) -> int:
    """Find the words of new documents, batch by batch."""
    return in_turns(units, "search.find_words", catching_up.find_words)
