"""What helm tells people after an installation."""

from typing import Any

from chart.helm import CHART, NAMESPACE, Helm


def notes(helm: Helm, **values: Any) -> str:
    flags = ["--namespace", NAMESPACE, "--dry-run=client"]
    done = helm.run("install", "kronos", str(CHART), *flags, values=values)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("NOTES:")[2]


def test_they_name_what_runs_and_the_next_commands(helm: Helm) -> None:
    text = notes(helm)
    assert "The KronosDeployment kronos declares: a CPU pool." in text
    assert "kubectl -n forecasts get kronosdeployments" in text
    assert "helm -n forecasts test kronos" in text
    assert "serves the KronosDeployments of all namespaces" in text


def test_they_say_which_pools_and_namespaces_the_values_chose(helm: Helm) -> None:
    text = notes(helm, watchNamespaces=["forecasts", "desk"], kronosDeployment={"spec": {"gpu": {}}})
    assert "a CPU pool and a GPU pool" in text
    assert "the namespaces forecasts, desk" in text


def test_simulated_gpus_are_a_warning(helm: Helm) -> None:
    assert 'WARNING: testing.gpuDevice is "cpu"' in notes(helm, testing={"gpuDevice": "cpu"})
    assert "WARNING" not in notes(helm)


def test_without_a_deployment_they_show_how_to_make_one(helm: Helm) -> None:
    text = notes(helm, kronosDeployment={"create": False})
    assert "kubectl apply -f -" in text
    assert "helm -n forecasts test" not in text


def test_they_mention_the_hub_only_while_it_is_needed(helm: Helm) -> None:
    own = {"name": "small", "source": {"image": {"reference": "r.example/small:1"}}}
    assert "Hugging Face hub" in notes(helm)
    assert "Hugging Face hub" not in notes(helm, defaultModel=own)
    assert "Hugging Face hub" not in notes(helm, kronosDeployment={"spec": {"model": own}})
