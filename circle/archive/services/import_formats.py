"""One import of any format: what the command line and the worker do alike."""

from pathlib import Path

from circle.archive.importing.circles import open_circle
from circle.archive.importing.sources import open_source
from circle.archive.importing.survey import Progress, nobody_watches
from circle.archive.models import ImportFormat
from circle.archive.services.import_batches import Keep, Tally, nobody_keeps
from circle.archive.services.import_circle import import_circle, rehearse_circle
from circle.archive.services.import_requests import Running
from circle.archive.services.importing import files_of, rehearse_import, run_import
from circle.kernel.uow import Units


def do_import(
    units: Units, running: Running, place: str | Path, name: str | None = None, progress: Progress = nobody_watches
) -> Tally:
    """Take an archive over, which had another `name` before. Errors: LeaseLost, ArchiveRefused."""
    if running.format is ImportFormat.CIRCLE:
        with open_circle(place) as export:
            return import_circle(units, running, export, progress)
    with open_source(place, name, files_of(running.format)) as source:
        return run_import(units, running, source, progress)


def rehearse(
    units: Units,
    running: Running,
    place: str | Path,
    name: str | None = None,
    progress: Progress = nobody_watches,
    keep: Keep = nobody_keeps,
) -> Tally:
    """Return what an import would come to; nothing of it is written. `keep` is told what was found so far.

    Errors: ArchiveRefused, those of `keep`.
    """
    if running.format is ImportFormat.CIRCLE:
        with open_circle(place) as export:
            return rehearse_circle(units, running, export, progress, keep)
    with open_source(place, name, files_of(running.format)) as source:
        return rehearse_import(units, running, source, progress, keep)
