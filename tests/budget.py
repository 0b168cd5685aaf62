"""Checks the size budget: short functions, short files, typed, with a docstring that says the job."""

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("operator", "server", "model", "tests", "benchmarks", "examples", "docs")
FILE_LINES = 300
FUNCTION_LINES = 60
FUNCTION_LINES_P95 = 40
FUNCTION_LINES_MEDIAN = 10

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    trees = {path: ast.parse(path.read_text()) for path in sources()}
    complaints = [complaint for path, tree in trees.items() for complaint in excesses(path, tree)]
    lengths = sorted(length(function) for tree in trees.values() for function in functions(tree))
    p95 = lengths[int(0.95 * len(lengths))]
    median = statistics.median(lengths)
    if p95 > FUNCTION_LINES_P95:
        complaints.append(f"one function in twenty is longer than {p95} lines, the budget is {FUNCTION_LINES_P95}")
    if median > FUNCTION_LINES_MEDIAN:
        complaints.append(f"the median function has {median} lines, the budget is {FUNCTION_LINES_MEDIAN}")
    summary = f"{len(trees)} files, {len(lengths)} functions: median {median:g} lines, p95 {p95}, longest {lengths[-1]}"
    sys.stdout.write("\n".join([*complaints, summary]) + "\n")
    return 1 if complaints else 0


def sources() -> list[Path]:
    return sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def excesses(path: Path, tree: ast.Module) -> Iterator[str]:
    """What one file has too much of, a line each."""
    name = path.relative_to(ROOT)
    lines = path.read_text().count("\n")
    if lines > FILE_LINES:
        yield f"{name}: {lines} lines, the budget is {FILE_LINES}"
    if lines and not path.stem.startswith(("test_", "conftest")) and not ast.get_docstring(tree):
        yield f"{name}: no docstring that says its job"
    for function in functions(tree):
        if length(function) > FUNCTION_LINES:
            where = f"{name}:{function.lineno} {function.name}"
            yield f"{where} has {length(function)} lines, the budget is {FUNCTION_LINES}"


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


if __name__ == "__main__":
    sys.exit(main())
