"""The demo: from nothing to forecasts of real K-lines through the Ingress, each step shown."""

import json
import time
from datetime import date, timedelta
from email.message import Message
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from bokeh_sampledata.stocks import AAPL

from cluster.http_probe import http_status
from cluster.layout import BUILD, REPOSITORY
from cluster.progress import StepFailed, say, step, wait_for
from cluster.release import install, prepare
from cluster.target import Target, choose_target

EXAMPLE = REPOSITORY / "examples" / "kronosdeployment.yaml"
NAME = "kronos"
CONTEXT = 96  # K-lines given: what the demo checkpoint was trained on
HORIZON = 5  # K-lines asked
PATHS = 30  # averaged
READY_SECONDS = 300


def run_demo() -> None:
    """Bring everything up, forecast once through each pool, and print what to try next.

    Raises:
        StepFailed: a step failed; the message says which, why, and which log to read.
    """
    target = choose_target()
    prepare(target)
    install(target)
    with step("kubectl apply -f examples/kronosdeployment.yaml"):
        target.kubectl("apply", "--server-side", "-f", EXAMPLE)
    with step("wait until it is Ready"):
        wait_until_ready(target)
    url = target.ingress_url(NAME)
    BUILD.joinpath("ingress-url").write_text(f"{url}\n")
    with step("forecast AAPL through the Ingress"):
        wait_for("both routes answering through the Ingress", lambda: routes_answer(url), 60)
        single, single_pod = forecast(f"{url}/v1/predict/single", request())
        _, batch_pod = forecast(f"{url}/v1/predict/batch", {"items": [request()]})
    _report(target, url, single, {"single": single_pod, "batch": batch_pod})


def request() -> dict[str, Any]:
    """AAPL's last daily K-lines, and the weekdays that follow them."""
    columns = {name: AAPL[name][-CONTEXT:] for name in ("open", "high", "low", "close", "volume")}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    days = AAPL["date"][-CONTEXT:]
    return {
        "series_id": "AAPL",
        "candles": [{**row, "high": max(row["high"], row["open"], row["close"])} for row in rows],
        "timestamps": days,
        "overrides": {"sample_count": PATHS},
        "prediction_timestamps": [str(day) for day in _weekdays_after(date.fromisoformat(days[-1]), HORIZON)],
    }


def forecast(url: str, body: dict[str, Any]) -> tuple[Any, Message]:
    """POST a body; the reply's JSON, and its headers, whose names proxies may write in any case.

    Raises:
        StepFailed: the reply is an error.
    """
    message = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(message, timeout=60) as reply:
            return json.load(reply), reply.headers
    except HTTPError as error:
        raise StepFailed(f"{url} answered {error.code}: {error.read()[:500].decode(errors='replace')}") from error


def wait_until_ready(target: Target) -> None:
    """Wait for the resource's Ready condition, and say what it waits for whenever that changes."""
    deadline, shown = time.monotonic() + READY_SECONDS, ""
    while True:
        resource = target.read("kronosdeployment", NAME)
        ready, message = _ready(resource)
        if message != shown:
            say(f"        {message}")
            shown = message
        if ready:
            return
        if time.monotonic() > deadline:
            raise StepFailed(
                f"{NAME} is not Ready after {READY_SECONDS} s: {message}\n"
                "  read: kubectl describe kronosdeployment kronos; kubectl logs -l app.kubernetes.io/component=operator"
            )
        time.sleep(0.5)


def routes_answer(url: str) -> bool:
    """Whether the edge follows: GET on a path that takes POST only is answered by a pod with 405."""
    return all(http_status(f"{url}/v1/predict/{route}") == 405 for route in ("single", "batch"))


def _ready(resource: dict[str, Any]) -> tuple[bool, str]:
    status = resource.get("status", {})
    condition = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), None)
    if condition is None:
        return False, "the operator has not looked yet"
    current = status.get("observedGeneration") == resource["metadata"]["generation"]
    return current and condition["status"] == "True", f"{condition['reason']}: {condition.get('message', '')}"


def _weekdays_after(day: date, count: int) -> list[date]:
    following = (day + timedelta(days=n) for n in range(1, 2 * count + 7))
    return [later for later in following if later.weekday() < 5][:count]


def _report(target: Target, url: str, single: dict[str, Any], headers: dict[str, Message]) -> None:
    say(f"\nAAPL after {CONTEXT} daily K-lines, the mean of {PATHS} paths of {single['model_version']}:")
    for row in single["prediction"]:
        say(
            f"  {row['timestamp']}  "
            + "  ".join(f"{name} {row[name]:8.2f}" for name in ("open", "high", "low", "close"))
        )
    for route, header in headers.items():
        places = ", ".join(f"{name} {header[f'X-Kronos-{name}']}" for name in ("Pool", "Device", "Pod"))
        say(f"/v1/predict/{route} was answered by {places}")
    say("\n" + target.kubectl("get", "kronosdeployments"))
    say(_TRY_NEXT.format(kubeconfig=target.kubeconfig, url=url))


_TRY_NEXT = """\
The GPUs of this cluster are simulated: its GPU pool computes on CPU, and every reply says so (X-Kronos-Device).

Try next:
  export KUBECONFIG={kubeconfig}
  kubectl patch kd kronos --type=merge -p '{{"spec": {{"cpu": {{"replicas": 2}}}}}}'   # scale a pool
  # force a device:
  curl -i {url}/v1/devices/gpu/predict/single -H 'Content-Type: application/json' -d @examples/request.json
  kubectl delete kd kronos                                                  # remove it all
  make demo-down                                                            # remove the cluster
(kubectl is at `python -m cluster which kubectl`, unless you have your own.)"""
