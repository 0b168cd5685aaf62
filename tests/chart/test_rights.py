"""What the operator may do, and where."""

from typing import Any

import pytest

from chart.helm import Helm, Manifest, Release
from kronos_operator.kinds import EVENT, LEASE, OBSERVED, OWNED

LEASE_ROLE = "kronos-operator-lease"
WATCH = {"list", "watch"}
READ = {"get", *WATCH}
SERVED = {
    "kronosdeployments.kronos.dev": READ,
    "kronosdeployments/status.kronos.dev": {"patch"},
    "kronosdeployments/finalizers.kronos.dev": {"update"},
    "serviceaccounts.": READ | {"create", "patch"},
    "services.": READ | {"create", "patch", "delete"},
    "poddisruptionbudgets.policy": READ | {"create", "patch", "delete"},
    "deployments.apps": READ | {"create", "patch", "delete"},
    "controllerrevisions.apps": READ | {"create", "patch", "delete"},
    "ingresses.networking.k8s.io": READ | {"create", "patch", "delete"},
    "httproutes.gateway.networking.k8s.io": READ | {"create", "patch", "delete"},
    "horizontalpodautoscalers.autoscaling": READ | {"create", "patch", "delete"},
    "pods.": WATCH,
    "endpointslices.discovery.k8s.io": WATCH,
    "events.": {"list", "create"},
}
SCANNED = {"customresourcedefinitions.apiextensions.k8s.io": WATCH}


def rights(role: Manifest) -> dict[str, set[str]]:
    """Verbs by RESOURCE.GROUP; a pair that two rules grant is an error."""
    granted: dict[str, set[str]] = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                assert f"{resource}.{group}" not in granted
                granted[f"{resource}.{group}"] = set(rule["verbs"])
    return granted


def account_of(binding: Manifest) -> dict[str, Any]:
    (subject,) = binding["subjects"]
    found: dict[str, Any] = subject
    return found


def test_one_cluster_role_grants_exactly_the_listed_verbs(helm: Helm) -> None:
    (role,) = helm.render().all("ClusterRole")
    assert rights(role) == SERVED | SCANNED


def test_the_cluster_role_is_bound_to_the_operators_account(helm: Helm) -> None:
    release = helm.render()
    (role,) = release.all("ClusterRole")
    (binding,) = release.all("ClusterRoleBinding")
    assert binding["roleRef"]["kind"] == "ClusterRole"
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert account_of(binding) == {"kind": "ServiceAccount", "name": "kronos-operator", "namespace": "forecasts"}


def test_watched_namespaces_get_a_role_each_and_nothing_is_cluster_wide(helm: Helm) -> None:
    release = helm.render(watchNamespaces=["forecasts", "desk"])
    assert not release.all("ClusterRole")
    assert not release.all("ClusterRoleBinding")
    for namespace in ("forecasts", "desk"):
        role, binding = served(release, "Role", namespace), served(release, "RoleBinding", namespace)
        assert rights(role) == SERVED
        assert binding["roleRef"]["name"] == role["metadata"]["name"]
        assert account_of(binding)["namespace"] == "forecasts"


def served(release: Release, kind: str, namespace: str) -> Manifest:
    """The Role or RoleBinding for the KronosDeployments of a namespace."""
    found = [manifest for manifest in release.all(kind) if manifest["metadata"]["namespace"] == namespace]
    (manifest,) = [manifest for manifest in found if manifest["metadata"]["name"] != LEASE_ROLE]
    return manifest


@pytest.mark.parametrize("watched", [[], ["forecasts"]])
def test_the_operators_share_one_lease_and_may_touch_no_other(helm: Helm, watched: list[str]) -> None:
    release = helm.render(watchNamespaces=watched)
    lease, role = release.one("Lease", "kronos-operator"), release.one("Role", LEASE_ROLE)
    group = {"apiGroups": [LEASE.group], "resources": [LEASE.plural]}
    assert role["rules"] == [
        {**group, "resourceNames": ["kronos-operator"], "verbs": ["get", "update"]},
        {**group, "verbs": ["create"]},
    ]
    binding = release.one("RoleBinding", LEASE_ROLE)
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": LEASE_ROLE}
    assert account_of(binding)["name"] == "kronos-operator"
    assert {lease["metadata"]["namespace"], role["metadata"]["namespace"]} == {"forecasts"}
    # An empty one is free; a record in the chart would throw the leader out at every upgrade.
    assert "spec" not in lease


def test_the_kinds_that_are_granted_are_those_that_the_operator_handles() -> None:
    written = {f"{kind.plural}.{kind.group}" for kind in OWNED}
    watched = {f"{kind.plural}.{kind.group}" for kind in OBSERVED}
    granted = {name: verbs for name, verbs in SERVED.items() if not name.endswith(".kronos.dev")}
    del granted[f"{EVENT.plural}.{EVENT.group}"]  # neither owned nor watched
    assert set(granted) == watched
    assert {name for name, verbs in granted.items() if "patch" in verbs} == written


def test_every_rule_states_its_reason(helm: Helm) -> None:
    lines = [line.strip() for line in helm.render().text.splitlines()]
    rules = [number for number, line in enumerate(lines) if line.startswith("- apiGroups")]
    assert rules
    for number in rules:
        before = lines[number - 1]
        # Two kinds that are read for one reason share its comment.
        assert before.startswith(("#", "verbs: [list, watch]")), lines[number : number + 3]


@pytest.mark.parametrize("watched", [[], ["forecasts"]])
def test_no_role_names_secrets_nodes_or_a_wildcard(helm: Helm, watched: list[str]) -> None:
    release = helm.render(watchNamespaces=watched)
    for role in [*release.all("ClusterRole"), *release.all("Role")]:
        for rule in role["rules"]:
            named = {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            assert not named & {"*", "secrets", "nodes", "pods/exec", "roles", "rolebindings", "escalate", "bind"}


def test_an_existing_account_is_used_instead_of_a_created_one(helm: Helm) -> None:
    release = helm.render(operator={"serviceAccount": {"create": False, "name": "given"}})
    assert not release.all("ServiceAccount")
    assert release.operator_pod["spec"]["serviceAccountName"] == "given"
    for binding in [*release.all("ClusterRoleBinding"), *release.all("RoleBinding")]:
        assert account_of(binding)["name"] == "given"


def test_an_account_that_is_neither_created_nor_named_is_refused(helm: Helm) -> None:
    assert "operator.serviceAccount.name" in helm.refuse(operator={"serviceAccount": {"create": False}})


def test_the_account_carries_annotations_and_hands_out_no_token_by_itself(helm: Helm) -> None:
    account = helm.render(operator={"serviceAccount": {"annotations": {"role": "x"}}}).one(
        "ServiceAccount", "kronos-operator"
    )
    assert account["metadata"]["annotations"] == {"role": "x"}
    assert account["automountServiceAccountToken"] is False
    assert helm.render().operator_pod["spec"]["automountServiceAccountToken"] is True
