"""`python -m bench` lists the measurements; `python -m bench feed …` runs one."""

import ast
import runpy
import sys
from pathlib import Path

# Parts that the measurements share.
_PARTS = {"__init__", "__main__", "load", "installation", "report", "raw", "crew", "renewals_raw", "whole"}


def main() -> int:
    folder = Path(__file__).parent
    found = {file.stem: file for file in folder.glob("*.py") if file.stem not in _PARTS}
    found |= {file.parent.name: file for file in folder.glob("*/__main__.py")}
    if len(sys.argv) > 1 and sys.argv[1] in found:
        sys.argv = [f"bench {sys.argv[1]}", *sys.argv[2:]]
        runpy.run_module(f"bench.{sys.argv[0].partition(' ')[2]}", run_name="__main__")
        return 0
    for name, file in sorted(found.items()):
        about = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        print(f"  {name:<16} {about.splitlines()[0]}")
    return 0 if len(sys.argv) == 1 else 2


if __name__ == "__main__":
    sys.exit(main())
