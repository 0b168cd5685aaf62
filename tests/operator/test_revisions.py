"""The templates that once worked, as they are read back from the cluster."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from kronos_operator.api import Manifest, Server
from kronos_operator.plan.revisions import revision, stored_revisions
from kronos_operator.render.controller_revision import controller_revision
from tests.operator.facts import observed

MakeServer = Callable[..., Server]
TEMPLATE: Manifest = {"metadata": {"labels": {"app": "kronos"}}, "spec": {"containers": []}}


@pytest.fixture
def kept(make_server: MakeServer) -> Manifest:
    return controller_revision(make_server({"cpu": {}}), "cpu", revision(TEMPLATE))


@pytest.mark.parametrize("label", [{}, {"kronos.dev/revision": "edited"}], ids=["removed", "edited"])
def test_a_template_is_known_by_its_content_whatever_happens_to_its_label(
    kept: Manifest, label: dict[str, str]
) -> None:
    edited = copy.deepcopy(kept)
    del edited["metadata"]["labels"]["kronos.dev/revision"]
    edited["metadata"]["labels"].update(label)
    assert stored_revisions("cpu", observed(edited)) == stored_revisions("cpu", observed(kept)) != []


@pytest.mark.parametrize("data", [None, {}, {"template": {"metadata": {"labels": {}}}}])
def test_a_revision_that_we_did_not_write_is_no_template(kept: Manifest, data: Any) -> None:
    assert stored_revisions("cpu", observed({**kept, "data": data})) == []
