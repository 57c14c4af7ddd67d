"""The `circle` command. Each command imports what it runs, so that `--help` stays quick."""

from circle.cli.root import circle

from circle.cli import care, database, documents, imports, running  # isort: skip # they register their commands

__all__ = ["care", "circle", "database", "documents", "imports", "main", "running"]


def main() -> None:
    """Run the command line."""
    circle(prog_name="circle")
