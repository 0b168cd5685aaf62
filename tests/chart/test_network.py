"""The optional NetworkPolicies leave open what the parts need, and no more."""

from typing import Any

from chart.helm import Helm, Manifest

DNS = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}
POOLS = {"matchExpressions": [{"key": "kronos.dev/pool", "operator": "Exists"}]}


def policy(helm: Helm, name: str, namespace: str = "forecasts", **values: Any) -> Manifest:
    """The spec of the policy of that name, with policies switched on."""
    release = helm.render(**{**values, "networkPolicies": {"enabled": True, **values.get("networkPolicies", {})}})
    (found,) = [
        manifest["spec"]
        for manifest in release.all("NetworkPolicy")
        if (manifest["metadata"]["name"], manifest["metadata"]["namespace"]) == (name, namespace)
    ]
    spec: Manifest = found
    return spec


def test_by_default_there_is_none(helm: Helm) -> None:
    assert not helm.render().all("NetworkPolicy")


def test_the_operators_policy_selects_the_operators_pod(helm: Helm) -> None:
    selected = policy(helm, "kronos-operator")["podSelector"]["matchLabels"]
    assert selected.items() <= helm.render().operator_pod["metadata"]["labels"].items()


def test_the_operator_reaches_name_resolution_and_the_api_server_only(helm: Helm) -> None:
    spec = policy(helm, "kronos-operator", networkPolicies={"apiServerPorts": [8443]})
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == [DNS, {"ports": [{"protocol": "TCP", "port": 8443}]}]
    assert spec["ingress"] == [{"ports": [{"protocol": "TCP", "port": "probes"}]}]


def test_pools_reach_name_resolution_their_peers_and_the_hub(helm: Helm) -> None:
    spec = policy(helm, "kronos-pools")
    peers = {"ports": [{"protocol": "TCP", "port": "http"}], "to": [{"podSelector": POOLS}]}
    assert spec["podSelector"] == POOLS
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["egress"] == [DNS, peers, {"ports": [{"protocol": "TCP", "port": 443}]}]


def test_pools_without_hub_ports_reach_nothing_outside(helm: Helm) -> None:
    spec = policy(helm, "kronos-pools", networkPolicies={"hubPorts": []})
    assert [rule for rule in spec["egress"] if "to" not in rule] == [DNS]


def test_everyone_may_ask_the_pools_until_clients_are_named(helm: Helm) -> None:
    (rule,) = policy(helm, "kronos-pools")["ingress"]
    assert rule == {"ports": [{"protocol": "TCP", "port": "http"}]}


def test_named_clients_ask_beside_the_peers_and_helm_test(helm: Helm) -> None:
    client = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
    (rule,) = policy(helm, "kronos-pools", networkPolicies={"clients": [client]})["ingress"]
    peers, tester, last = rule["from"]
    assert peers == {"podSelector": POOLS}
    pod = helm.render().hooks("test")["Pod"]
    assert tester["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert tester["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "forecasts"}}
    assert last == client


def test_pools_of_every_watched_namespace_have_the_policy(helm: Helm) -> None:
    watched = ["forecasts", "desk"]
    assert policy(helm, "kronos-pools", "desk", watchNamespaces=watched)
    assert policy(helm, "kronos-pools", "forecasts", watchNamespaces=watched)
