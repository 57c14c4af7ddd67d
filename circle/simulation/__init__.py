"""A whole circle's life on a clock of its own: random people, a bad network, and the invariants after every day.

Told through the product's own use cases and jobs, in a database that is empty at the beginning and thrown away.
"""

from circle.simulation.days import Broken, Life, NotEmpty, begin
from circle.simulation.figures import Month, figures

__all__ = ["Broken", "Life", "Month", "NotEmpty", "begin", "figures"]
