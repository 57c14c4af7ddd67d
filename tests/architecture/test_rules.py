"""The rules of CONTRIBUTING.md that a machine can hold."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from tests.architecture.sources import ROOT, calls, imports, modules, nodes

MOST_LINES = 400
MOST_LINES_OF_A_VIEW = 5
MOST_LINES_OF_A_JOB = 20

# Who may end a transaction: the unit of work, and what is no part of one.
MAY_COMMIT = {"circle/kernel/uow.py", "circle/kernel/shared_clock.py"}
WALL_CLOCK = re.compile(r"(datetime\.(now|utcnow|today)|date\.today|time\.(time|monotonic|sleep|perf_counter))$")
# Engines and supervisors wait for real processes; the command line measures real time.
MAY_SEE_THE_WALL_CLOCK = (
    "circle/kernel/clock.py",
    "circle/embedded/",
    "circle/cli",
    "workers/__main__.py",
    "workers/clock.py",
)

NETWORK = {"httpx", "httpcore", "smtplib", "stripe", "boto3", "botocore", "socket", "urllib3", "requests"}
# Why they may name a library of the network, and not refuse to work inside a unit.
KNOW_THE_NETWORK = {
    "circle/billing/providers/stripe_words.py": "translates what was answered",
    "circle/media/boto.py": "is loaded by circle/media/s3.py, which refuses",
    "circle/web/standby.py": "watches over connections to the database",
}

NEVER_IN = {
    "services": {"flask", "marshmallow", "rq", "redis", "boto3", "flask_smorest", "werkzeug"},
    "policy": {"flask", "marshmallow", "rq", "redis", "boto3", "flask_smorest", "werkzeug"},
    "queries": {"flask", "marshmallow", "rq", "redis", "boto3"},
    "models": {"flask", "marshmallow", "rq", "redis", "boto3"},
    "schemas": {"sqlalchemy", "flask"},
    "events": {"sqlalchemy", "flask", "marshmallow"},
    "routes": {"sqlalchemy", "rq", "redis", "boto3"},
}


def layer_of(path: Path) -> str:
    """The file's job by its name: `services/joining.py` is a service, `discussion_routes.py` holds routes."""
    if path.parent.name in NEVER_IN:
        return path.parent.name
    return path.stem.rpartition("_")[2]


def test_files_stay_short() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.py"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    long = {
        file: length
        for file in tracked.stdout.split()
        if (ROOT / file).exists() and "migrations/versions" not in file
        if (length := len((ROOT / file).read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def test_only_the_unit_of_work_commits() -> None:
    committing = {
        f"{path}:{line}"
        for path, tree in modules().items()
        if path.as_posix() not in MAY_COMMIT and "embedded" not in path.parts and "providers" not in path.parts
        for name, line in calls(tree)
        if re.search(r"(session|connection|conn|db)\.(commit|rollback)$", name)
    }
    assert not committing


def test_nobody_reads_the_wall_clock() -> None:
    reading = {
        f"{path}:{line} {name}"
        for path, tree in modules().items()
        if not path.as_posix().startswith(MAY_SEE_THE_WALL_CLOCK)
        for name, line in calls(tree)
        if WALL_CLOCK.search(name)
    }
    assert not reading


def test_only_settings_read_the_environment() -> None:
    reading = {
        str(path)
        for path, tree in modules().items()
        if "embedded" not in path.parts and path.as_posix() not in {"circle/config.py", "circle/web/metrics.py"}
        if not path.as_posix().startswith("circle/cli")
        if re.search(r"os\.(environ|getenv)", ast.unparse(tree))
    }
    assert not reading


@pytest.mark.parametrize("layer", sorted(NEVER_IN))
def test_a_file_keeps_to_its_job(layer: str) -> None:
    strays = {
        f"{path}: {name}"
        for path, tree in modules().items()
        if path.parts[0] == "circle" and path.parts[1] not in {"kernel", "web", "embedded"} and layer_of(path) == layer
        for name in imports(tree)
        if name.partition(".")[0] in NEVER_IN[layer]
    }
    assert not strays


def test_a_view_is_a_decorator_and_one_call() -> None:
    long = {
        f"{path}:{view.lineno} {view.name}"
        for path, tree in modules().items()
        if layer_of(path) == "routes" and "web" not in path.parts
        for view in nodes(tree)
        if isinstance(view, ast.FunctionDef) and any("routes" in ast.unparse(d) for d in view.decorator_list)
        if _statement_lines(view) > MOST_LINES_OF_A_VIEW
    }
    assert not long


def _statement_lines(view: ast.FunctionDef) -> int:
    body = view.body[1:] if ast.get_docstring(view) else view.body
    return body[-1].end_lineno - body[0].lineno + 1 if body and body[-1].end_lineno else 0


def test_views_leave_the_session_to_their_one_call() -> None:
    using = {
        f"{path}:{node.lineno}"
        for path, tree in _layer("routes")
        for node in nodes(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "uow.session"
    }
    assert not using


def test_what_happened_is_plain_and_never_changes() -> None:
    loose = {
        f"{path}: {node.name}"
        for path, tree in _layer("events")
        for node in nodes(tree)
        if isinstance(node, ast.ClassDef) and "frozen=True" not in "".join(map(ast.unparse, node.decorator_list))
    }
    assert not loose


def test_queries_write_nothing() -> None:
    writes = re.compile(r"(.*session\.(add|add_all|delete|merge)|uow\.(execute|insert|emit|ring)|insert|update|delete)")
    writing = {
        f"{path}:{line}" for path, tree in _layer("queries") for name, line in calls(tree) if writes.fullmatch(name)
    }
    assert not writing


def _layer(name: str) -> Iterator[tuple[Path, ast.Module]]:
    for path, tree in modules().items():
        if path.parts[0] == "circle" and path.parts[1] not in {"kernel", "web", "embedded"} and layer_of(path) == name:
            yield path, tree


def test_jobs_are_thin_and_know_no_sql() -> None:
    lengths = []
    for path, tree in modules().items():
        if path.parts[0] == "workers":
            assert not {"sqlalchemy", "psycopg"} & {name.partition(".")[0] for name in imports(tree)}, path
            lengths += [
                _statement_lines(one) for one in nodes(tree) if isinstance(one, ast.FunctionDef) and _is_job(one)
            ]

    assert median(lengths) <= MOST_LINES_OF_A_JOB


def _is_job(function: ast.FunctionDef) -> bool:
    return any("job" in ast.unparse(one) for one in function.decorator_list)


def test_the_database_is_never_asked_what_time_it_is() -> None:
    function = re.compile(r"func\.(now|current_.*|clock_.*|statement_.*|transaction_.*|localtime.*)")
    word = re.compile(r"\b(now|(clock|statement|transaction)_timestamp|timeofday)\(\)|\bCURRENT_(DATE|TIME)")
    asking = {f"{p}:{line}" for p, tree in modules().items() for name, line in calls(tree) if function.fullmatch(name)}
    asking |= {
        f"{path}:{node.lineno}"
        for path, tree in modules().items()
        for node in nodes(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and word.search(node.value)
    }
    assert not asking


def test_pages_never_skip_rows() -> None:
    # `OFFSET 0` skips nothing: it keeps the planner from reckoning a score twice.
    skipping = {
        f"{path}:{node.lineno}"
        for path, tree in modules().items()
        for node in nodes(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "offset"
        if [ast.unparse(one) for one in node.args] != ["_number(0)"]
    }
    assert not skipping


def test_whoever_talks_to_the_network_refuses_inside_a_unit() -> None:
    unguarded = {
        path.as_posix()
        for path, tree in modules().items()
        if path.parts[0] == "circle" and path.parts[1] not in {"embedded", "cli", "simulation"}
        if NETWORK & {name.partition(".")[0] for name in imports(tree)}
        if not any(name == "forbid_inside_unit_of_work" for name, _ in calls(tree))
    }
    assert unguarded == set(KNOW_THE_NETWORK)


def test_nothing_is_caught_broadly() -> None:
    broad = {
        f"{path}:{node.lineno}"
        for path, tree in modules().items()
        if path.as_posix() != "circle/kernel/isolation.py"
        for node in nodes(tree)
        if isinstance(node, ast.ExceptHandler)
        if node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}
    }
    assert not broad


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    found = {str(path) for path in modules() if marks.search((ROOT / path).read_text(encoding="utf-8"))}
    assert not found
