"""The alerts: what they watch, what they tell, and when, by Prometheus' own rule tester on recorded series."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from chart.helm import Helm, Manifest
from chart.series import first_status
from cluster.binaries import program

CASES = Path(__file__).parent / "alert_cases.yaml"
# Sums of the other conditions, which are alerted on one by one.
SUMS = {"Ready", "Reconciling"}


def rules(helm: Helm, **alerts: Any) -> Manifest:
    """The spec of the PrometheusRule."""
    (found,) = helm.render(monitoring={"alerts": {"enabled": True, **alerts}}).all("PrometheusRule")
    spec: Manifest = found["spec"]
    return spec


def alerts(spec: Manifest) -> list[Manifest]:
    return [rule for group in spec["groups"] for rule in group["rules"]]


def test_they_fire_when_they_should_and_only_then(helm: Helm, tmp_path: Path) -> None:
    spec = rules(helm)
    for rule in alerts(spec):
        # The cases repeat the summaries, whose templates are worth a test; the runbooks are plain text.
        del rule["annotations"]["runbook"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    shutil.copy(CASES, tmp_path / "cases.yaml")
    command = [str(program("promtool")), "test", "rules", str(tmp_path / "cases.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(helm: Helm) -> None:
    names = {rule["alert"] for rule in alerts(rules(helm))}
    checks = [check for case in yaml.safe_load(CASES.read_text())["tests"] for check in case["alert_rule_test"]]
    assert {check["alertname"] for check in checks if check["exp_alerts"]} == names
    assert {check["alertname"] for check in checks if not check["exp_alerts"]} == names


def test_every_condition_that_a_person_must_act_on_has_one(helm: Helm) -> None:
    expressions = "".join(rule["expr"] for rule in alerts(rules(helm)))
    watched = re.findall(r'kronos_deployment_condition\{type=~?"([^"]+)"', expressions)
    for condition in {each.type for each in first_status().conditions} - SUMS:
        assert [pattern for pattern in watched if re.fullmatch(pattern, condition)], condition


def test_every_alert_says_what_happened_and_what_to_do(helm: Helm) -> None:
    names = [rule["alert"] for rule in alerts(rules(helm))]
    assert len(names) == len(set(names))
    for rule in alerts(rules(helm)):
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert "{{ $labels." in rule["annotations"]["summary"]
        assert len(rule["annotations"]["runbook"].split()) > 30, rule["alert"]


def test_slow_is_what_the_values_say(helm: Helm) -> None:
    (slow,) = [rule for rule in alerts(rules(helm, slowSeconds=2.5)) if rule["alert"] == "KronosForecastsSlow"]
    assert slow["expr"].rstrip().endswith("> 2.5")


def test_an_operator_is_missed_by_the_name_under_which_it_is_scraped(helm: Helm) -> None:
    release = helm.render("market", monitoring={"alerts": {"enabled": True}, "podMonitor": {"enabled": True}})
    (rule,) = release.all("PrometheusRule")
    (absent,) = [each for each in alerts(rule["spec"]) if each["alert"] == "KronosOperatorAbsent"]
    scraped = {f"{item['metadata']['namespace']}/{item['metadata']['name']}" for item in release.all("PodMonitor")}
    assert set(re.findall(r'job="([^"]+)"', absent["expr"])) < scraped
