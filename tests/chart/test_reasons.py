"""The page on troubleshooting names every reason that a status can give, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import kronos_operator
from chart.helm import ROOT

# A function or class of the operator -> the place of the reason among its arguments.
TAKES_A_REASON = {"Cause": 0, "Unserved": 0, "_because": 1, "_left": 1, "_stall": 1, "_says": 2}
# Dictionaries whose values are reasons.
HOLDS_REASONS = {"ABOUT_THE_OBJECT", "REASONS"}
(PACKAGE,) = kronos_operator.__path__
TREES = [ast.parse(path.read_text()) for path in Path(PACKAGE).rglob("*.py")]
NODES = [node for tree in TREES for node in ast.walk(tree)]


def assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        yield node.targets[0].id, node.value


CONSTANTS = {name: value for node in NODES for name, value in assigned(node) if isinstance(value, ast.Constant)}


def candidates(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions at the places where a reason stands."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        yield from node.args[TAKES_A_REASON[name] :][:1] if name in TAKES_A_REASON else ()
        yield from (keyword.value for keyword in node.keywords if name == "Condition" and keyword.arg == "reason")
    for name, value in assigned(node):
        if name in HOLDS_REASONS and isinstance(value, ast.Dict):
            yield from value.values


def reasons_in_the_code() -> set[str]:
    written = [expression for node in NODES for expression in candidates(node)]
    constants = [CONSTANTS.get(each.id) if isinstance(each, ast.Name) else each for each in written]
    return {str(each.value) for each in constants if isinstance(each, ast.Constant)}


def reasons_on_the_page() -> set[str]:
    tables = (ROOT / "docs/troubleshooting.md").read_text().split("| Reason |")[1:]
    rows = [line for table in tables for line in table.split("\n\n")[0].splitlines() if line.startswith("| `")]
    return {reason for row in rows for reason in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_every_reason_is_on_the_page_and_no_other() -> None:
    assert reasons_on_the_page() == reasons_in_the_code()


def test_the_reasons_are_found_where_the_code_has_them() -> None:
    # One of each place: a check, an answer of the API server, a rollout's stage, a default, a constant.
    assert {"InsufficientGPU", "NameConflict", "RolledBack", "Pending", "Progressing"} <= reasons_in_the_code()
