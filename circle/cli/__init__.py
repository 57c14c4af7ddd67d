"""The `circle` command. Each command imports what it runs, so that `--help` stays quick."""

from circle.cli.root import circle

from circle.cli import billing, camps, care, database, demo, documents, imports, running, search, simulation  # isort: skip # they register their commands

__all__ = [
    "billing",
    "camps",
    "care",
    "circle",
    "database",
    "demo",
    "documents",
    "imports",
    "main",
    "running",
    "search",
    "simulation",
]


def main() -> None:
    """Run the command line."""
    circle(prog_name="circle")
