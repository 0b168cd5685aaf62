"""Every pod that the chart itself runs satisfies Pod Security `restricted`."""

from collections.abc import Iterator

import pytest

from chart.helm import Helm, Manifest

HARDENED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """The pod specs of the operator, the hooks and the tests, by kind."""
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            yield "Pod", manifest["spec"]
        elif manifest["kind"] in {"Deployment", "Job"}:
            yield manifest["kind"], manifest["spec"]["template"]["spec"]


@pytest.fixture(scope="module")
def specs(helm: Helm) -> dict[str, Manifest]:
    return dict(pods(helm.render(imagePullSecrets=[{"name": "registry"}]).manifests))


@pytest.fixture(params=["Deployment", "Job", "Pod"])
def pod(request: pytest.FixtureRequest, specs: dict[str, Manifest]) -> Manifest:
    return specs[request.param]


def test_it_runs_as_an_unprivileged_user_with_seccomp(pod: Manifest) -> None:
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_its_containers_can_gain_nothing_and_write_nowhere(pod: Manifest) -> None:
    for container in pod["containers"]:
        assert container["securityContext"] == HARDENED


def test_it_shares_nothing_with_its_node(pod: Manifest) -> None:
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert all(set(volume) == {"name", "emptyDir"} for volume in pod.get("volumes", ()))


def test_it_gets_no_variables_from_services(pod: Manifest) -> None:
    # A Service called kronos-operator would set KRONOS_OPERATOR_PORT, which is a setting.
    assert pod["enableServiceLinks"] is False


def test_its_image_is_pulled_with_the_secrets_of_the_values(pod: Manifest) -> None:
    assert pod["imagePullSecrets"] == [{"name": "registry"}]


def test_its_containers_state_what_they_need(pod: Manifest) -> None:
    for container in pod["containers"]:
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]
