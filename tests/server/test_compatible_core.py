"""The compatible core over HTTP: what clients of the old service rely on."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from running_server import RunningServer, candle

Make = Callable[..., dict[str, Any]]
JSON = {"content-type": "application/json"}
ROW = ["timestamp", "open", "high", "low", "close", "volume", "amount"]
HEADERS = ["x-request-id", "x-kronos-pool", "x-kronos-device", "x-kronos-pod", "x-backend-used"]


def test_the_root_names_the_application(server: RunningServer) -> None:
    reply = server.client.get("/")
    assert (reply.status_code, reply.json()) == (200, {"message": "Kronos Forecast Server"})


def test_liveness_says_ok(server: RunningServer) -> None:
    reply = server.client.get("/v1/healthz")
    assert (reply.status_code, reply.json()) == (200, {"status": "ok"})


def test_readiness_names_the_device(server: RunningServer) -> None:
    reply = server.client.get("/v1/readyz")
    assert reply.json() == {"status": "ok", "model_loaded": True, "device": "cpu", "device_warning": None}


def test_detailed_health_has_the_old_shape(server: RunningServer) -> None:
    health = server.client.get("/v1/healthz/detailed").json()
    assert set(health) == {"status", "timestamp", "uptime_seconds", "checks"}
    checks = health["checks"]
    assert set(checks) == {"model", "memory", "disk", "device"}
    assert set(checks["model"]) == {"status", "loaded", "version"}
    assert set(checks["disk"]) == {"status", "free_gb", "total_gb", "percent"}
    memory = {"status", "process_mb", "system_percent", "system_total_mb", "system_available_mb"}
    assert set(checks["memory"]) == memory
    assert checks["memory"]["process_mb"] > 0


def test_a_single_forecast_has_the_old_shape(server: RunningServer, body: Make) -> None:
    asked = body()
    reply = server.client.post("/v1/predict/single", json=asked)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    answer = reply.json()
    assert list(answer) == ["series_id", "prediction", "model_version", "tokenizer_version"]
    assert answer["series_id"] == "AAPL"
    assert [row["timestamp"] for row in answer["prediction"]] == asked["prediction_timestamps"]
    assert all(list(row) == ROW for row in answer["prediction"])
    assert all(isinstance(row["close"], float) for row in answer["prediction"])


def test_versions_are_an_id_and_digits_of_the_weights(server: RunningServer, body: Make) -> None:
    answer = server.client.post("/v1/predict/single", json=body()).json()
    assert re.fullmatch(r"model@[0-9a-f]{12}", answer["model_version"])
    assert re.fullmatch(r"tokenizer@[0-9a-f]{12}", answer["tokenizer_version"])


def test_a_batch_forecast_is_a_bare_list_in_order(server: RunningServer, body: Make) -> None:
    items = [body(series_id="b", rows=9), body(series_id="a", ahead=2), body(series_id="c", rows=1)]
    reply = server.client.post("/v1/predict/batch", json={"items": items})
    assert reply.status_code == 200
    answers = reply.json()
    assert [answer["series_id"] for answer in answers] == ["b", "a", "c"]
    assert [len(answer["prediction"]) for answer in answers] == [4, 2, 4]


def test_a_batch_of_one_is_fine(server: RunningServer, body: Make) -> None:
    reply = server.client.post("/v1/predict/batch", json={"items": [body()]})
    assert len(reply.json()) == 1


def test_a_greedy_forecast_repeats(server: RunningServer, body: Make) -> None:
    asked = body(overrides={"temperature": 0})
    first, second = (server.client.post("/v1/predict/single", json=asked).json() for _ in range(2))
    assert first == second


def test_rows_and_columns_mean_the_same(server: RunningServer, body: Make) -> None:
    asked = body(overrides={"top_k": 1})
    rows = asked["candles"]
    asked_in_columns = asked | {"candles": {name: [row[name] for row in rows] for name in rows[0]}}
    first, second = (server.client.post("/v1/predict/single", json=each).json() for each in (asked, asked_in_columns))
    assert first == second


STATUSES = [
    pytest.param("GET", "/nowhere", b"", {}, 404, id="unknown path"),
    pytest.param("GET", "/v1/predict/single", b"", {}, 405, id="wrong method"),
    pytest.param("POST", "/v1/healthz", b"", {}, 405, id="a probe is read only"),
    pytest.param("POST", "/v1/devices/tpu/predict/single", b"{}", JSON, 404, id="no such pool in the path"),
    pytest.param("POST", "/v1/predict/single/", b"{}", JSON, 404, id="a slash too many"),
    pytest.param("POST", "/v1/predict/single", b"", JSON, 422, id="empty"),
    pytest.param("POST", "/v1/predict/single", b"{", JSON, 422, id="malformed"),
    pytest.param("POST", "/v1/predict/single", b'{"candles": NaN}', JSON, 422, id="NaN"),
    pytest.param("POST", "/v1/predict/single", b'{"candles": [-Infinity]}', JSON, 422, id="Infinity"),
    pytest.param("POST", "/v1/predict/single", b'{"candles": [1e999]}', JSON, 422, id="beyond a double"),
    pytest.param("POST", "/v1/predict/single", b"[" * 1_000_000, JSON, 422, id="deep nesting"),
    pytest.param("POST", "/v1/predict/single", b'{"a":' * 100_000, JSON, 422, id="deep objects"),
    pytest.param("POST", "/v1/predict/single", b"\xff\xfe", JSON, 422, id="not UTF-8"),
    pytest.param("POST", "/v1/predict/single", b"null", JSON, 422, id="null"),
    pytest.param("POST", "/v1/predict/single", b"{}", JSON, 422, id="nothing in it"),
    pytest.param("POST", "/v1/predict/batch", b"{}", JSON, 422, id="batch: nothing in it"),
    pytest.param("POST", "/v1/predict/batch", b'{"items": []}', JSON, 422, id="batch: no items"),
    pytest.param("POST", "/v1/predict/batch", b"[]", JSON, 422, id="batch: a list"),
    pytest.param("POST", "/v1/predict/single", b"{}", {"content-type": "text/plain"}, 415, id="text"),
    pytest.param("POST", "/v1/predict/single", b"{}", {"content-type": ""}, 415, id="an empty type"),
    pytest.param("POST", "/v1/predict/single", b"{}", {"content-type": "application/xml"}, 415, id="XML"),
    pytest.param("POST", "/v1/predict/single", b"{}", {}, 422, id="no type is JSON"),
    pytest.param("POST", "/v1/predict/single", b"{}", {"content-type": "application/x+json; a=b"}, 422, id="+json"),
    pytest.param("POST", "/v1/predict/single", b"{}", JSON | {"x-kronos-device": "tpu"}, 400, id="no such pool"),
    pytest.param("POST", "/v1/predict/single", b"{}", JSON | {"x-kronos-device-index": "1"}, 400, id="no such device"),
    pytest.param("POST", "/v1/predict/single", b"{}", JSON | {"x-kronos-device": "gpu"}, 503, id="no gpu pool"),
    pytest.param("POST", "/v1/devices/gpu/predict/batch", b"{}", JSON, 503, id="no gpu pool, by path"),
    pytest.param("POST", "/v1/predict/single", b"{}", JSON | {"x-request-timeout": "soon"}, 422, id="timeout in words"),
    pytest.param("POST", "/v1/predict/single", b"{}", JSON | {"x-request-timeout": "0"}, 422, id="no time"),
    pytest.param("POST", "/v1/predict/single", b"{}", JSON | {"x-request-timeout": "nan"}, 422, id="timeout of nan"),
]


@pytest.mark.parametrize(("method", "path", "content", "headers", "status"), STATUSES)
def test_a_bad_request_is_a_problem_that_echoes_nothing(
    server: RunningServer, method: str, path: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    reply = server.client.request(method, path, content=content, headers=headers)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert list(problem) == ["type", "title", "status", "detail", "errors", "request_id"]
    assert problem["status"] == status
    assert problem["request_id"] == reply.headers["x-request-id"]
    assert "Traceback" not in reply.text
    assert all(name in reply.headers for name in HEADERS)


def test_a_broken_rule_says_where_and_what(server: RunningServer, body: Make) -> None:
    reply = server.client.post("/v1/predict/single", json=body(candles=[candle(), candle(low=1e6)] * 8))
    assert reply.status_code == 422
    errors = [{"loc": ["body", "candles", 1, "low"], "msg": "must not be above open"}]
    assert reply.json()["errors"] == errors


def test_what_breaks_a_rule_is_not_echoed(server: RunningServer, body: Make) -> None:
    reply = server.client.post("/v1/predict/single", json=body(overrides={"top_k": "s3cret"}, freq="s3cret"))
    assert reply.status_code == 422
    assert "s3cret" not in reply.text


def test_extreme_but_finite_numbers_are_forecast_or_refused(server: RunningServer, body: Make) -> None:
    large, small = candle(1e16), {"open": 1e-300, "high": 1e-300, "low": 1e-300, "close": 1e-300}
    for rows in ([large] * 16, [small] * 16, [large, small] * 8):
        assert server.client.post("/v1/predict/single", json=body(candles=rows)).status_code in (200, 422)
    assert server.client.post("/v1/predict/single", json=body(candles=[candle(1e308)] * 16)).status_code == 422


def test_duplicate_keys_are_no_error(server: RunningServer, body: Make) -> None:
    text = json.dumps(body())[:-1] + ', "series_id": "last"}'
    reply = server.client.post("/v1/predict/single", content=text, headers=JSON)
    assert reply.json()["series_id"] == "last"


@pytest.mark.parametrize("sent", ["abc-123", "a" * 128])
def test_a_request_id_is_echoed(server: RunningServer, sent: str) -> None:
    assert server.client.get("/", headers={"x-request-id": sent}).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["a" * 129, "new line?", ""])
def test_a_request_id_of_another_kind_is_replaced(server: RunningServer, sent: str) -> None:
    made = server.client.get("/", headers={"x-request-id": sent}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{32}", made)


def test_every_reply_says_who_answered(server: RunningServer, body: Make) -> None:
    for reply in (server.client.get("/v1/readyz"), server.client.post("/v1/predict/single", json=body())):
        said = {name: reply.headers[name] for name in HEADERS[1:]}
        assert said == {
            "x-kronos-pool": "cpu",
            "x-kronos-device": "cpu",
            "x-kronos-pod": "test-pod",
            "x-backend-used": "kronos_cpu",
        }


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_the_api_is_described(server: RunningServer, path: str) -> None:
    assert server.client.get(path).status_code == 200


def test_metrics_carry_the_names_that_dashboards_use(server: RunningServer, body: Make) -> None:
    server.client.post("/v1/predict/single", json=body())
    text = server.client.get("/v1/metrics").text
    for name in (
        'kronos_requests_total{route="/v1/predict/single",status="success"}',
        "kronos_request_duration_seconds_count",
        'kronos_model_inference_seconds_count{endpoint="single"}',
        "kronos_concurrent_requests 0.0",
        "kronos_timeouts_total",
        "kronos_rate_limit_hits_total",
        "kronos_security_events_total",
        'kronos_prediction_input_size_count{endpoint="single"}',
        "kronos_request_size_rejections_total",
    ):
        assert name in text
