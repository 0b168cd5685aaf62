"""Ingress and HTTPRoute answer alike: the right pool, or the right error."""

from collections.abc import Iterator

import pytest

from e2e.hybrid import Hybrid
from e2e.load import ask
from e2e.workbench import wait_until

pytestmark = pytest.mark.e2e

SINGLE, BATCH = "/v1/predict/single", "/v1/predict/batch"
GATEWAY = {"name": "contour", "namespace": "projectcontour"}
DEVICES = {
    "none": (),
    "cpu": ("cpu",),
    "gpu": ("gpu",),
    "bad": ("tpu",),
    "twice": ("gpu", "gpu"),
    "both": ("gpu", "cpu"),
}
# (status, pool) by path and wish; an answer without a forecast may come from the edge, which is no pool.
BOTH_UP: dict[tuple[str, str], tuple[int, str | None]] = {
    (SINGLE, "none"): (200, "cpu"),
    (SINGLE, "cpu"): (200, "cpu"),
    (SINGLE, "gpu"): (200, "gpu"),
    (BATCH, "none"): (200, "gpu"),
    (BATCH, "cpu"): (200, "cpu"),
    (BATCH, "gpu"): (200, "gpu"),
    **{(path, wish): (400, None) for path in (SINGLE, BATCH) for wish in ("bad", "twice", "both")},
}
GPU_DOWN: dict[tuple[str, str], tuple[int, str | None]] = {
    **BOTH_UP,
    (SINGLE, "gpu"): (503, None),
    (BATCH, "none"): (200, "cpu"),
    (BATCH, "gpu"): (503, None),
}
# How a match sees a header that is there twice is up to the edge (HTTPHeaderMatch of Gateway API). Envoy looks at each
# value, so that nobody is left to answer 400 where the pool that was asked for twice is down.
LEFT_TO_THE_EDGE = ("GPU down", "HTTPRoute", "twice")


@pytest.fixture(scope="module", params=["both pools up", "GPU down"])
def state(hybrid: Hybrid, request: pytest.FixtureRequest) -> Iterator[str]:
    """The resource behind both kinds of route, which the edge has followed."""
    hosts = {"parentRefs": [GATEWAY], "hostnames": [gateway_host(hybrid)]}
    hybrid.bench.patch({"gateway": hosts})
    hybrid.wait_for("Ready")
    batch_pool = "gpu"
    if request.param == "GPU down":
        hybrid.lose_gpu()
        hybrid.wait_for("FailedOver")
        batch_pool = "cpu"
    batches = [hybrid.request(BATCH, host=host) for host in (hybrid.host, gateway_host(hybrid))]
    wait_until("the edge", lambda: all(ask(batch).pool == batch_pool for batch in batches), 60)
    yield request.param
    hybrid.offer_gpus(1)


def gateway_host(hybrid: Hybrid) -> str:
    return f"{hybrid.bench.namespace}.gateway.example.com"


@pytest.mark.parametrize("wish", DEVICES)
@pytest.mark.parametrize("path", [SINGLE, BATCH])
@pytest.mark.parametrize("kind", ["Ingress", "HTTPRoute"])
def test_the_right_pool_answers_or_the_right_error(hybrid: Hybrid, state: str, kind: str, path: str, wish: str) -> None:
    host = hybrid.host if kind == "Ingress" else gateway_host(hybrid)
    expected = {(BOTH_UP if state == "both pools up" else GPU_DOWN)[path, wish]}
    if (state, kind, wish) == LEFT_TO_THE_EDGE:
        expected.add((503, None))
    answer = ask(hybrid.request(path, *DEVICES[wish], host=host))
    assert (answer.status, answer.pool if answer.status == 200 else None) in expected, answer
