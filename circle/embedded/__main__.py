"""`python -m circle.embedded DIR…`: stop the engines of data folders, also those a killed run left behind."""

import sys
from pathlib import Path

from circle.embedded.engines import stop_engines


def main() -> None:
    """Stop the engines of every folder named on the command line."""
    for name in sys.argv[1:]:
        stop_engines(Path(name))


if __name__ == "__main__":
    main()
