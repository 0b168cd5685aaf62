"""Many resources at once."""

from collections import Counter

from cluster.plane import Plane
from cluster.progress import wait_for
from operation.desk import Desk
from running_operator import NO_LEASE, Installed, is_write, running_operator

COUNT = 40


def test_an_edit_overtakes_the_first_looks_of_a_cold_start_and_no_object_is_made_twice(
    plane: Plane, installed: Installed, desk: Desk
) -> None:
    names = [f"k{number:02}" for number in range(COUNT)]
    for name in names:
        desk.declare(name)
    only = {"KRONOS_OPERATOR_WATCH_NAMESPACES": desk.namespace}
    with running_operator(plane, installed, **NO_LEASE, **only) as operator:
        wait_for("the first Deployment", lambda: desk.drain_seconds(names[0]) is not None, 60)
        desk.edit(names[-1], drain_seconds=9)
        wait_for("the edit", lambda: desk.drain_seconds(names[-1]) == 9, 30)
        overtaken = COUNT - len(desk.reconciled())
        assert overtaken > 1, "others, declared long before, still wait"
        wait_for("everything being reconciled", lambda: len(desk.reconciled()) == COUNT, 90)
        assert all(desk.drain_seconds(name) is not None for name in names)
        written = [entry for entry in operator.requests() if is_write(entry)]
    objects = [entry for entry in written if entry["objectRef"]["resource"] != "events"]
    made = Counter(entry["requestURI"] for entry in objects if entry["responseStatus"]["code"] == 201)
    assert set(made.values()) == {1}
    assert len([uri for uri in made if "/deployments/" in uri]) == COUNT
    assert [entry["responseStatus"]["code"] for entry in written if entry["responseStatus"]["code"] >= 300] == []
