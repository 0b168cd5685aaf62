"""A pool that is taken away on purpose loses its route before its last pod."""

from typing import Any

import pytest

from cluster.progress import say
from e2e.hybrid import Hybrid
from e2e.load import Load
from e2e.workbench import wait_until

pytestmark = pytest.mark.e2e

LEAST = 500


@pytest.mark.parametrize("end", ["zero replicas", "no pool"])
def test_no_request_fails_while_a_pool_goes_and_comes_back(
    hybrid: Hybrid, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    gpu: dict[str, Any] | None = {"replicas": 0} if end == "zero replicas" else None
    with Load(hybrid.request("/v1/predict/batch"), 15) as batch:
        batch.await_total(20)
        hybrid.bench.patch({"gpu": gpu})
        wait_until("the last pod being gone", lambda: hybrid.pods("gpu") == [], 120)
        batch.await_more(20, "cpu")
        hybrid.wait_for("Ready")  # as wished: the route belongs to the other pool, and nothing is wrong
        hybrid.bench.patch({"gpu": hybrid.spec()["gpu"]})
        hybrid.wait_for_route("batch", "gpu")
        hybrid.wait_for("Ready")
        batch.await_more(20, "gpu")
        batch.await_total(LEAST)
    with capsys.disabled():
        say(f"\n{end}: {batch}")
    assert batch.failed == []
