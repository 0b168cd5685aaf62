"""Which template a pool runs in the end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kronos_operator.api import Manifest
from kronos_operator.plan.revisions import Revision, kept_revisions, revision
from kronos_operator.plan.rollout import Rollout, RolloutFacts, Stage, present, target
from tests.operator.facts import container, live_deployment, live_pod

OLD = Revision("old", {"metadata": {"labels": {}}}, 1)
OLDER = Revision("older", {"metadata": {"labels": {}}}, 0)
NEW = Revision("new", {"metadata": {"labels": {}}})
NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATE = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}


def deployment(digest: str, **status: Any) -> Manifest:
    live = live_deployment("gpu", ready=0, **status)
    live["spec"]["template"]["metadata"] = {"labels": {"kronos.dev/revision": digest}}
    return live


def pod(digest: str, *containers: dict[str, Any], **status: Any) -> Manifest:
    live = live_pod("gpu", containerStatuses=list(containers), **status)
    live["metadata"]["labels"]["kronos.dev/revision"] = digest
    return live


def facts(**changes: Any) -> RolloutFacts:
    start: dict[str, Any] = {
        "wanted": NEW,
        "deployment": deployment("new"),
        "pods": (),
        "stored": [OLDER, OLD],
        "rejected": None,
        "told": None,
        "stops": False,
        "now": NOW,
    }
    return RolloutFacts(**{**start, **changes})


BACK_OFF = container(waiting={"reason": "ImagePullBackOff", "message": "no such tag"})
PULLING = container(waiting={"reason": "ErrImagePull"})
NO_GPU = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1: 1 Insufficient nvidia.com/gpu."}]}


def running(seconds: float) -> dict[str, Any]:
    return container(running={"startedAt": (NOW - timedelta(seconds=seconds)).isoformat()})


def crashed(times: int, **last: Any) -> dict[str, Any]:
    return container(waiting={"reason": "CrashLoopBackOff"}, restarts=times, last={"exitCode": 1, **last})


@pytest.mark.parametrize(
    "failed",
    [
        facts(pods=(pod("new", BACK_OFF),)),
        facts(pods=(pod("new", crashed(3)),)),
        facts(pods=(pod("new", crashed(1, message="ModelInvalid: digest of model.safetensors is 12ab")),)),
        facts(pods=(pod("new", crashed(1, message="DeviceUnavailable: cuda:0, found cpu")),)),
        facts(deployment=deployment("new", **LATE), pods=(pod("new", running(600)),)),
        facts(deployment=deployment("new", **LATE), pods=(pod("new", crashed(1)),)),
    ],
)
def test_a_failed_template_is_rejected_and_the_last_that_worked_runs_again(failed: RolloutFacts) -> None:
    back = target(failed)
    assert (back.run, back.stage, back.rejected) == (OLD, Stage.ROLLED_BACK, "new")
    assert "new failed" in back.because


@pytest.mark.parametrize(
    "patient",
    [
        facts(),
        facts(pods=(pod("new", PULLING),)),
        facts(pods=(pod("new", crashed(2)),)),
        facts(pods=(pod("new", running(6000)),)),
        # Late, but the pod had to wait for a device, or still fetches its model.
        facts(deployment=deployment("new", **LATE), pods=(pod("new", running(599)),)),
        facts(deployment=deployment("new", **LATE), pods=(pod("new", initContainerStatuses=[running(6000)]),)),
        facts(pods=(pod("old", BACK_OFF),)),  # not a pod of the new template
        facts(deployment=deployment("new", **LATE), pods=(pod("new", **NO_GPU),)),
        facts(deployment=deployment("new", **LATE), pods=(pod("new", PULLING),)),
        facts(deployment=deployment("new", **LATE)),
        facts(deployment=None),
    ],
)
def test_what_may_still_succeed_is_no_failure(patient: RolloutFacts) -> None:
    assert target(patient) == Rollout(NEW)


def test_a_template_that_worked_is_never_rejected() -> None:
    """A node that cannot pull today says nothing about the template."""
    again = facts(wanted=OLD, deployment=deployment("old"), pods=(pod("old", BACK_OFF),))
    assert target(again) == Rollout(OLD)


def test_a_rejected_template_stays_rejected_after_a_restart() -> None:
    back = target(facts(deployment=deployment("old"), rejected="new", told="no such image"))
    assert (back.run, back.stage, back.rejected, back.failure) == (OLD, Stage.ROLLED_BACK, "new", "no such image")
    assert "no such image" in back.because


def test_a_changed_spec_is_tried_again() -> None:
    changed = facts(wanted=Revision("newer", {}), deployment=deployment("old"), rejected="new")
    assert target(changed) == Rollout(Revision("newer", {}))


def test_without_a_template_that_worked_there_is_nothing_to_go_back_to() -> None:
    assert target(facts(stored=[], pods=(pod("new", BACK_OFF),))) == Rollout(NEW)


def test_stop_leaves_the_failed_template_in_place() -> None:
    stopped = target(facts(stops=True, pods=(pod("new", BACK_OFF),)))
    assert (stopped.run, stopped.stage, stopped.rejected) == (NEW, Stage.STOPPED, "new")


def test_only_a_template_that_worked_can_be_held() -> None:
    assert present(facts(deployment=deployment("old"))) == OLD
    assert present(facts(deployment=deployment("unknown"))) is None
    assert present(facts(deployment=None)) is None


def test_a_template_is_named_by_its_content() -> None:
    template = {"metadata": {"labels": {"app": "kronos"}}, "spec": {"containers": [{"image": "server:1"}]}}
    same = {"spec": {"containers": [{"image": "server:1"}]}, "metadata": {"labels": {"app": "kronos"}}}
    other = {**template, "spec": {"containers": [{"image": "server:2"}]}}
    assert revision(template) == revision(same)
    assert revision(template).digest != revision(other).digest
    labels = revision(template).template["metadata"]["labels"]
    assert labels == {"app": "kronos", "kronos.dev/revision": revision(template).digest}
    assert template["metadata"] == {"labels": {"app": "kronos"}}


@pytest.mark.parametrize(
    ("stored", "proven", "kept"),
    [
        ([], None, []),
        ([], NEW, [("new", 1)]),
        ([OLD], NEW, [("old", 1), ("new", 2)]),
        ([OLDER, OLD], NEW, [("old", 1), ("new", 2)]),
        ([OLDER, OLD], OLD, [("older", 0), ("old", 1)]),
        ([OLDER, OLD], OLDER, [("old", 1), ("older", 2)]),
        ([OLDER, OLD], None, [("older", 0), ("old", 1)]),
    ],
)
def test_the_latest_templates_that_worked_are_kept(
    stored: list[Revision], proven: Revision | None, kept: list[tuple[str, int]]
) -> None:
    assert [(each.digest, each.number) for each in kept_revisions(stored, proven)] == kept
