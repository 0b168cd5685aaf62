"""Decides which template a pool runs: the wanted one, the present one for a while, or the last that worked."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from kronos_operator.api import Manifest
from kronos_operator.diagnosis import Cause, Facts, root_cause
from kronos_operator.plan.clocks import moment, remaining
from kronos_operator.plan.revisions import Revision, revision_of
from kronos_operator.progress import is_late, running_digest

# A rollout fails at once on these; on none of them does waiting help.
HOPELESS = {"ModelInvalid", "DeviceUnavailable"}
CRASHES = 3


class Stage(Enum):
    """How a pool's template relates to the spec."""

    WANTED = "runs what the spec says"
    HELD = "keeps what it runs for a while"
    ROLLED_BACK = "runs the last template that worked, since the wanted one failed"
    STOPPED = "runs the wanted template, which failed, since onFailure is Stop"


@dataclass(frozen=True, slots=True)
class Rollout:
    """The template that a pool runs, and why.

    rejected: digest of the wanted template where it failed.
    failure: why it failed, as the first look told.
    because: the sentence for the user where the stage is not WANTED.
    """

    run: Revision
    stage: Stage = Stage.WANTED
    rejected: str | None = None
    failure: str | None = None
    because: str = ""


@dataclass(frozen=True, slots=True)
class RolloutFacts:
    """What decides about a pool's template, besides the routes.

    wanted: the template of the spec.
    deployment: the live one, if there is one.
    pods: all pods of the pool.
    stored: the templates that once worked, the latest last.
    rejected, told: digest that the status says failed, and why.
    stops: onFailure is Stop.
    now: the time of this look.
    """

    wanted: Revision
    deployment: Manifest | None
    pods: tuple[Manifest, ...]
    stored: list[Revision]
    rejected: str | None
    told: str | None
    stops: bool
    now: datetime

    @property
    def running(self) -> str | None:
        """The digest of the template in place."""
        return running_digest(self.deployment) if self.deployment else None


def target(facts: RolloutFacts) -> Rollout:
    """What to run in the end: the wanted template, unless it failed and one that worked is known."""
    wanted = facts.wanted
    cause = _failure(facts)
    if cause is None and facts.rejected != wanted.digest:
        return Rollout(wanted)
    failure = cause.message if cause else facts.told
    because = f"template {wanted.digest} failed: {failure}"
    if facts.stops:
        return Rollout(wanted, Stage.STOPPED, wanted.digest, failure, because)
    worked = [each for each in facts.stored if each.digest != wanted.digest]
    if not worked:
        return Rollout(wanted)  # nothing to go back to: the condition names the cause
    back = f"{because}; {worked[-1].digest} runs again until the spec changes"
    return Rollout(worked[-1], Stage.ROLLED_BACK, wanted.digest, failure, back)


def present(facts: RolloutFacts) -> Revision | None:
    """The template in place, where it is one that worked: only that can be held."""
    return next((each for each in facts.stored if each.digest == facts.running), None)


def _failure(facts: RolloutFacts) -> Cause | None:
    """Why the wanted template failed, if it is running and did; one that worked before cannot fail by itself."""
    wanted = facts.wanted.digest
    if facts.deployment is None or facts.running != wanted or any(each.digest == wanted for each in facts.stored):
        return None
    new = tuple(pod for pod in facts.pods if revision_of(pod) == wanted)
    evidence = Facts(facts.deployment, new)
    return _at_once(evidence) or _at_the_deadline(evidence, facts.now)


def _at_once(evidence: Facts) -> Cause | None:
    cause = root_cause(evidence)
    if cause is None:
        return None
    gave_up = cause.reason == "ImagePull" and any(
        status.get("state", {}).get("waiting", {}).get("reason") == "ImagePullBackOff" for status in _statuses(evidence)
    )
    crashed = any(status.get("restartCount", 0) >= CRASHES for status in _statuses(evidence))
    return cause if gave_up or crashed or cause.reason in HOPELESS else None


def _at_the_deadline(evidence: Facts, now: datetime) -> Cause | None:
    """Only where a new pod failed, or had the whole time to become ready.

    A missing device, a quota or a slow pull is no failure, nor is the start of a pod that had to wait for them.
    """
    if not is_late(evidence.deployment):
        return None
    if not any(status.get("restartCount") for status in _statuses(evidence)) and not _had_its_time(evidence, now):
        return None
    return root_cause(evidence) or Cause("ProgressDeadline", "its pods run but do not become ready")


def _had_its_time(evidence: Facts, now: datetime) -> bool:
    """Whether a server has run for as long as the deadline; the fetching of a model is a pull."""
    deadline = evidence.deployment["spec"]["progressDeadlineSeconds"]
    servers = [status for pod in evidence.pods for status in pod.get("status", {}).get("containerStatuses") or ()]
    starts = [moment(status.get("state", {}).get("running", {}).get("startedAt")) for status in servers]
    return any(start is not None and not remaining(start, deadline, now) for start in starts)


def _statuses(evidence: Facts) -> list[Manifest]:
    return [container.status for container in evidence.containers()]
