"""An operator with Roles in its namespaces, and no right beyond them."""

from functools import partial
from pathlib import Path

from cluster.plane import Plane
from cluster.progress import wait_for
from operation.desk import Desk
from running_operator import install_rights, running_operator


def test_roles_alone_are_enough_for_the_namespaces_that_are_served(plane: Plane, folder: Path) -> None:
    desks = [Desk(plane, f"{name}-desk") for name in ("first", "second", "other")]
    for each in desks:
        plane.create_namespace(each.namespace)
        each.declare("k")
    served, other = desks[:2], desks[2]
    installed = install_rights(plane, folder, "limited", watchNamespaces=[each.namespace for each in served])
    with running_operator(plane, installed) as operator:
        for each in served:
            wait_for("the resource being ready", partial(is_ready, each), 60)
        served[1].edit("k", drain_seconds=9)
        wait_for("the edit", lambda: served[1].drain_seconds("k") == 9, 30)
        served[0].delete("k")
        wait_for("what it owned being gone", lambda: served[0].versions() == {}, 60)
        asked = operator.requests()
    assert [entry["requestURI"] for entry in asked if entry["responseStatus"]["code"] in (401, 403)] == []
    assert {entry["objectRef"].get("namespace") for entry in asked if "objectRef" in entry} == {
        "forecasts",  # the Lease
        *(each.namespace for each in served),
    }
    assert list(other.versions()) == ["KronosDeployment/k"]
    assert other.reconciled() == []


def is_ready(desk: Desk) -> bool:
    return bool(desk.condition("k", "Ready").get("status") == "True")
