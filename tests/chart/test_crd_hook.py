"""The hook that brings the CRD up to date before an upgrade."""

from chart.helm import Helm


def test_it_runs_the_new_operators_image_before_anything_else_changes(helm: Helm) -> None:
    job = helm.render(imageRegistry="r.example").hooks("pre-upgrade")["Job"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "r.example/kronos-operator:0.1.0"
    assert container["command"] == ["python", "-m", "kronos_operator.crd_upgrade"]


def test_it_may_read_and_patch_our_crd_and_nothing_else(helm: Helm) -> None:
    hooks = helm.render().hooks("pre-upgrade")
    (rule,) = hooks["ClusterRole"]["rules"]
    assert rule == {
        "apiGroups": ["apiextensions.k8s.io"],
        "resources": ["customresourcedefinitions"],
        "resourceNames": ["kronosdeployments.kronos.dev"],
        "verbs": ["get", "patch"],
    }
    (subject,) = hooks["ClusterRoleBinding"]["subjects"]
    assert subject["name"] == hooks["ServiceAccount"]["metadata"]["name"]
    assert subject["name"] == hooks["Job"]["spec"]["template"]["spec"]["serviceAccountName"]
    assert hooks["ClusterRoleBinding"]["roleRef"]["name"] == hooks["ClusterRole"]["metadata"]["name"]


def test_what_the_job_needs_is_there_before_it_and_gone_after_it(helm: Helm) -> None:
    hooks = helm.render().hooks("pre-upgrade")
    annotations = {kind: manifest["metadata"]["annotations"] for kind, manifest in hooks.items()}
    weights = {kind: int(notes["helm.sh/hook-weight"]) for kind, notes in annotations.items()}
    job = weights.pop("Job")
    assert set(weights) == {"ServiceAccount", "ClusterRole", "ClusterRoleBinding"}
    assert all(weight < job for weight in weights.values())
    for notes in annotations.values():
        assert notes["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"


def test_it_can_be_switched_off(helm: Helm) -> None:
    assert not helm.render(crdUpgrade={"enabled": False}).hooks("pre-upgrade")
