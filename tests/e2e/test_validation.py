"""The API server refuses what does not fit, and says why: each bound and each rule of the definition, on both sides."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client, config

from cluster.target import Target
from e2e.bounds import Bound, bounds
from e2e.rules import Rule, rules
from e2e.whole import SPECS
from e2e.workbench import Workbench, resource
from kronos_operator.api import GROUP, PLURAL, VERSION

pytestmark = pytest.mark.e2e

Refusal = Callable[[dict[str, Any]], str]


@pytest.fixture(scope="module")
def refusal(target: Target) -> Iterator[Refusal]:
    """What the API server says against a resource; empty when it takes it. Nothing is stored."""
    config.load_kube_config(str(target.kubeconfig))
    with client.ApiClient() as connection:
        api = client.CustomObjectsApi(connection)

        def ask(body: dict[str, Any]) -> str:
            try:
                where = (GROUP, VERSION, "default", PLURAL)
                api.create_namespaced_custom_object(*where, body, dry_run="All", field_validation="Strict")
            except client.ApiException as error:
                return str(json.loads(error.body or "")["message"])
            return ""

        yield ask


def test_every_field_is_taken_where_it_holds_what_it_should(refusal: Refusal) -> None:
    assert [refusal(resource(spec)) for spec in SPECS] == [""] * len(SPECS)


@pytest.mark.parametrize("bound", [pytest.param(each, id=f"{each.field} {each.keyword}") for each in bounds()])
def test_each_bound_is_where_the_definition_says(refusal: Refusal, bound: Bound) -> None:
    assert [refusal(body) for body in bound.accepted] == [""] * len(bound.accepted)
    told = refusal(bound.refused)
    assert bound.field in told
    assert bound.sentence in told


@pytest.mark.parametrize("rule", [pytest.param(each, id=f"{each.field} {each.sentence[:40]}") for each in rules()])
def test_each_rule_refuses_with_its_sentence_and_what_keeps_it_is_taken(refusal: Refusal, rule: Rule) -> None:
    assert refusal(resource(rule.accepted)) == ""
    told = refusal(resource(rule.refused))
    assert rule.field in told
    assert rule.sentence in told


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"cpu": {"replica": 2}}, "spec.cpu.replica: field not declared in schema"),
        ({"cpu": {"replicas": "two"}}, "spec.cpu.replicas: expected numeric (int or float), got string"),
    ],
)
def test_apply_refuses_what_is_not_in_the_definition(bench: Workbench, spec: dict[str, Any], told: str) -> None:
    assert told in bench.refusal(resource(spec))
