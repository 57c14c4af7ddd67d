"""What must hold of camps: every cached figure is the one that its day rows say."""

from circle.checkins.services.rebuilding import wrong_figures
from circle.kernel.uow import Units

# The latest camps; `circle camps rebuild` goes through all.
_CAMPS_CHECKED = 200


def figures_are_derived(units: Units) -> str | None:
    """Tell which figures differ from what day rows say, for `circle doctor`."""
    with units.read() as uow:
        wrong, camps = wrong_figures(uow, camps=_CAMPS_CHECKED)
    return f"{wrong} members' figures in the latest {camps} camps: run `circle camps rebuild`" if wrong else None
