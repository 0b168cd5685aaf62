"""The API server refuses what does not fit, and says why."""

from typing import Any

import pytest

from e2e.workbench import Workbench, resource

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("spec", "field", "sentence"),
    [
        ({"cpu": {"replicas": -1}}, "spec.cpu.replicas", "should be greater than or equal to 0"),
        ({"cpu": {"replicas": "two"}}, "spec.cpu.replicas", "expected numeric (int or float), got string"),
        ({"cpu": {"replica": 2}}, "spec.cpu.replica", "field not declared in schema"),
        ({}, "spec", "declare spec.cpu, spec.gpu or both"),
        (
            {"cpu": {}, "routing": {"batch": "gpu"}},
            "routing.batch",
            "names the pool gpu, which is not declared: add spec.gpu",
        ),
        ({"cpu": {"env": [{"name": "KRONOS_DEVICE", "value": "cuda"}]}}, "spec.cpu.env", "KRONOS_"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence_that_names_the_field(
    bench: Workbench, spec: dict[str, Any], field: str, sentence: str
) -> None:
    refusal = bench.refusal(resource(spec))
    assert field in refusal
    assert sentence in refusal


def test_a_name_that_would_not_fit_its_objects_is_refused(bench: Workbench) -> None:
    assert "metadata.name" in bench.refusal(resource({"cpu": {}}, name="k" * 46))


@pytest.mark.parametrize("spec", [{"cpu": {}}, {"gpu": {}}, {"cpu": {"replicas": 2}, "gpu": {"replicas": 1}}])
def test_what_fits_is_taken(bench: Workbench, spec: dict[str, Any]) -> None:
    assert bench.refusal(resource(spec)) == ""
