"""Where the weights come from: a hub, a volume and an image, each verified against the digest that is asked for."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.layout import REPOSITORY
from cluster.target import Target
from e2e.causes import assert_shown, ended
from e2e.fake_hub import TOKEN
from e2e.weights import COMMIT, claim_model, forget_claim, hub_model, image_model, provide_claim, provide_hub
from e2e.workbench import NAME, SMALL, Workbench, own_namespace, resource, wait_until

pytestmark = pytest.mark.e2e

READY_SECONDS = 240
WEIGHTS = REPOSITORY / "examples" / "demo-checkpoint" / "model.safetensors"
DIGEST = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
WRONG = "0" * 64


@pytest.fixture(scope="module")
def sources(target: Target) -> Iterator[Workbench]:
    """A namespace with a hub and with a claimed volume, both of which hold the demo checkpoint."""
    with own_namespace(target) as bench:
        provide_claim(bench)
        provide_hub(bench)
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub"}, "stringData": {"token": TOKEN}}
        bench.apply(secret)
        yield bench
        forget_claim(bench)


def _models(bench: Workbench, digest: str) -> dict[str, dict[str, Any]]:
    """The demo checkpoint from each of the sources."""
    token = {"source": {"huggingFace": {"tokenSecretName": "hub"}}}
    return {
        "hub": hub_model("private", sha256=digest, **token),
        "claim": claim_model(sha256=digest),
        "image": image_model(bench, sha256=digest),
    }


def _serve(bench: Workbench, model: dict[str, Any]) -> None:
    variables = [{"name": "HF_ENDPOINT", "value": f"http://hub.{bench.namespace}:8080"}]
    pool = {"replicas": 1, "resources": SMALL, "env": variables}
    bench.apply(resource({"model": model, "cpu": pool, "server": {"drainSeconds": 0}}))


@pytest.mark.parametrize("source", ["hub", "claim", "image"])
def test_the_model_is_served_from_every_source(sources: Workbench, source: str) -> None:
    _serve(sources, _models(sources, DIGEST)[source])
    wait_until("ready", sources.ready, READY_SECONDS)
    (pod,) = sources.items("pods").values()
    told = sources.kubectl("logs", pod["metadata"]["name"], "--container=server")
    assert DIGEST[:12] in told
    _remove(sources)


@pytest.mark.parametrize("source", ["hub", "claim", "image"])
def test_a_wrong_digest_is_told_as_the_reason(sources: Workbench, source: str) -> None:
    _serve(sources, _models(sources, WRONG)[source])
    wait_until("the server having refused them", lambda: ended(sources), READY_SECONDS)
    assert_shown(sources, "cpu", "ModelInvalid", DIGEST, WRONG)
    _remove(sources)


def test_weights_that_the_hub_sends_wrong_never_reach_the_server(sources: Workbench) -> None:
    _serve(sources, hub_model("broken"))
    wait_until("the download having been refused", lambda: ended(sources), READY_SECONDS)
    assert_shown(sources, "cpu", "ModelFetch", "model.safetensors: expected", DIGEST)
    _remove(sources)


def test_a_commit_that_the_hub_does_not_have_is_told(sources: Workbench) -> None:
    _serve(sources, {**hub_model("public"), "revision": "0" * 40})
    wait_until("the hub having refused", lambda: ended(sources), READY_SECONDS)
    assert_shown(sources, "cpu", "ModelFetch", "Revision not found", "check model.name, revision")
    _remove(sources)


def test_nothing_but_pinned_commits_was_asked_of_the_hub(sources: Workbench) -> None:
    asked = [line for line in sources.kubectl("logs", "hub").splitlines() if "/resolve/" in line or "/tree/" in line]
    assert any(f"GET /private/model/resolve/{COMMIT}/model.safetensors 200" in line for line in asked)
    assert [line for line in asked if COMMIT not in line and "0" * 40 not in line] == []


def _remove(bench: Workbench) -> None:
    bench.kubectl("delete", "kronosdeployment", NAME, "--cascade=foreground", "--timeout=60s")
