"""The chart's CRD, and what the chart's schema repeats of it."""

import json

import yaml

from chart.helm import CHART


def test_the_values_schema_knows_the_fields_that_the_crd_knows() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    crd = yaml.safe_load((CHART / "crds/kronosdeployments.yaml").read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    ours = schema["properties"]["kronosDeployment"]["properties"]["spec"]["properties"]
    assert set(ours) == set(spec)
    assert set(schema["definitions"]["model"]["properties"]) == set(spec["model"]["properties"])
