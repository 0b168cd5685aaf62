"""Whose an object is."""

from collections.abc import Callable

import pytest

from kronos_operator.api import Server
from kronos_operator.identity import DEPLOYMENT_LABEL, Claim, claim, labels, owner_reference, selector

EARLIER = {"kind": "KronosDeployment", "name": "kronos", "uid": "uid-0", "controller": True}
STRANGER = {"kind": "ReplicaSet", "name": "web", "uid": "uid-9", "controller": True}
NAMESAKE = {"kind": "ReplicaSet", "name": "kronos", "uid": "uid-9", "controller": True}
GUEST = {"kind": "KronosDeployment", "name": "kronos", "uid": "uid-1"}


@pytest.mark.parametrize(
    ("owners", "labelled", "expected"),
    [
        ([EARLIER], True, Claim.COLLECTED),
        ([STRANGER], True, Claim.FOREIGN),
        ([NAMESAKE], True, Claim.FOREIGN),
        ([], True, Claim.ADOPTABLE),
        ([], False, Claim.FOREIGN),
        ([GUEST], False, Claim.FOREIGN),
    ],
)
def test_ownership_is_decided_by_uid_and_never_by_name(
    make_server: Callable[..., Server], owners: list[dict[str, object]], labelled: bool, expected: Claim
) -> None:
    metadata = {"ownerReferences": owners, "labels": {DEPLOYMENT_LABEL: "kronos"} if labelled else {}}
    assert claim(make_server({"cpu": {}}), {"metadata": metadata}) is expected


def test_an_object_with_our_owner_reference_is_ours(make_server: Callable[..., Server]) -> None:
    server = make_server({"cpu": {}})
    assert claim(server, {"metadata": {"ownerReferences": [owner_reference(server)]}}) is Claim.OURS


def test_selectors_hold_identity_only(make_server: Callable[..., Server]) -> None:
    """They are immutable: a decoration in them could never be changed."""
    server = make_server({"cpu": {}})
    assert selector(server, "cpu") == {"kronos.dev/deployment": "kronos", "kronos.dev/pool": "cpu"}
    assert "app.kubernetes.io/name" in labels(server, "cpu")
