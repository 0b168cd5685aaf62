"""Asks a Kronos endpoint for a forecast, and checks the answer; standard library only."""

import json
import math
import sys
import time
import urllib.error
import urllib.request

HISTORY, HORIZON, HOUR = 32, 4, 3600
# A pool that has just been installed loads its model first.
PATIENCE_SECONDS = 240.0


def request_body() -> bytes:
    """A sine with a trend: 32 hourly K-lines, and the 4 hours after them."""
    closes = [100 + 5 * math.sin(hour / 4) + hour / 10 for hour in range(HISTORY)]
    candles = [{"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": 1e3} for close in closes]
    times = [1_700_000_000 + HOUR * hour for hour in range(HISTORY + HORIZON)]
    overrides = {"top_k": 1, "sample_count": 1}
    return json.dumps(
        {
            "series_id": "helm-test",
            "candles": candles,
            "timestamps": times[:HISTORY],
            "prediction_timestamps": times[HISTORY:],
            "overrides": overrides,
        }
    ).encode()


def ask(endpoint: str) -> tuple[dict[str, object], str]:
    """The reply, and the pool and pod that gave it."""
    request = urllib.request.Request(
        f"{endpoint}/v1/predict/single", request_body(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as reply:
        answered = f"{reply.headers['X-Kronos-Pool']} pool, pod {reply.headers['X-Kronos-Pod']}"
        return json.load(reply), answered


def ask_until_ready(endpoint: str, patience: float) -> tuple[dict[str, object], str]:
    """As `ask`, but waits while nobody listens and while the server says that it is not ready."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return ask(endpoint)
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise SystemExit(f"{error.code}: {error.read().decode(errors='replace')}") from error
        except (urllib.error.URLError, ConnectionError) as error:
            if time.monotonic() > deadline:
                raise SystemExit(f"nobody answers at {endpoint}: {error}") from error
        time.sleep(2)


def check(reply: dict[str, object]) -> None:
    """Ends the process unless the reply is a forecast of what was asked."""
    forecast = reply["prediction"]
    if not isinstance(forecast, list) or len(forecast) != HORIZON:
        raise SystemExit(f"asked for {HORIZON} K-lines, got: {forecast}")
    for kline in forecast:
        if not all(math.isfinite(kline[field]) for field in ("open", "high", "low", "close", "volume", "amount")):
            raise SystemExit(f"not a K-line: {kline}")


if __name__ == "__main__":
    patience = float(sys.argv[2]) if len(sys.argv) > 2 else PATIENCE_SECONDS
    reply, answered = ask_until_ready(sys.argv[1].rstrip("/"), patience)
    check(reply)
    sys.stdout.write(f"a forecast of {HORIZON} K-lines by {reply['model_version']}, from the {answered}\n")
