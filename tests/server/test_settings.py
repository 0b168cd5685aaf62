"""Settings: names, levels, and what is said about strangers."""

from pathlib import Path
from typing import Any

import pytest

from kronos_server import settings
from kronos_server.errors import StartFailed
from kronos_server.settings import Settings

VALUES: dict[str, tuple[str, Any]] = {
    "app_name": ("Desk", "Desk"),
    "host": ("127.0.0.1", "127.0.0.1"),
    "port": ("9000", 9000),
    "log_level": ("warning", "WARNING"),
    "model_id": ("small", "small"),
    "tokenizer_id": ("base", "base"),
    "model_path": ("/weights", Path("/weights")),
    "model_revision": ("abc", "abc"),
    "tokenizer_revision": ("def", "def"),
    "model_sha256": ("0f", "0f"),
    "device": ("cuda:0,cuda:1", "cuda:0,cuda:1"),
    "device_fallback": ("cpu", "cpu"),
    "pool": ("gpu", "gpu"),
    "pod_name": ("pod-1", "pod-1"),
    "peer_cpu_url": ("http://cpu", "http://cpu"),
    "peer_gpu_url": ("http://gpu", "http://gpu"),
    "threads": ("2", 2),
    "max_context": ("1024", 1024),
    "clip_value": ("4", 4.0),
    "default_lookback": ("300", 300),
    "default_pred_len": ("60", 60),
    "default_temperature": ("0.6", 0.6),
    "default_top_k": ("5", 5),
    "default_top_p": ("0.8", 0.8),
    "default_sample_count": ("3", 3),
    "inference_timeout": ("100", 100.0),
    "request_timeout": ("120", 120.0),
    "startup_timeout": ("60", 60.0),
    "drain_seconds": ("1", 1.0),
    "grace_seconds": ("60", 60.0),
    "max_request_size_mb": ("5", 5.0),
    "max_batch_size": ("8", 8),
    "max_queue_size": ("99", 99),
    "cache_tokens": ("4096", 4096),
    "context_policy": ("fit", "fit"),
    "keep_alive_seconds": ("90", 90),
    "api_keys_path": ("/keys", Path("/keys")),
    "trusted_proxies": ("10.0.0.0/8,::1", ("10.0.0.0/8", "::1")),
    "cors_origins": ("https://a.example", ("https://a.example",)),
    "enable_metrics": ("false", False),
    "security_enabled": ("true", True),
    "container_whitelist": ("web, 10.0.0.0/8", ("web", "10.0.0.0/8")),
    "rate_limit_enabled": ("1", True),
    "rate_limit_per_minute": ("7", 7),
    "termination_log": ("/tmp/reason", Path("/tmp/reason")),
}

DEFAULTS = {
    "port": 8000,
    "model_path": Path("/models"),
    "device": "cpu",
    "max_context": 512,
    "default_lookback": 400,
    "default_pred_len": 120,
    "default_temperature": 1.0,
    "default_top_k": 0,
    "default_top_p": 0.9,
    "default_sample_count": 1,
    "clip_value": 5.0,
    "enable_metrics": True,
    "security_enabled": False,
    "rate_limit_enabled": False,
    "rate_limit_per_minute": 100,
    "max_request_size_mb": 20.0,
    "inference_timeout": 240.0,
    "request_timeout": 300.0,
    "startup_timeout": 300.0,
    "drain_seconds": 5.0,
}


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_every_setting_is_tried_here() -> None:
    assert set(VALUES) == set(Settings.model_fields)


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_defaults_are_those_of_the_old_service(name: str, value: Any) -> None:
    assert getattr(settings.read()[0], name) == value


@pytest.mark.parametrize("name", VALUES)
def test_a_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    text, value = VALUES[name]
    monkeypatch.setenv(f"KRONOS_{name.upper()}", text)
    assert settings.read() == (Settings(**{name: value}), [])


@pytest.mark.parametrize("name", VALUES)
def test_a_setting_is_read_from_the_env_file(tmp_path: Path, name: str) -> None:
    text, value = VALUES[name]
    (tmp_path / ".env").write_text(f"KRONOS_{name.upper()}='{text}'\n")
    assert getattr(settings.read()[0], name) == value


def test_the_environment_rules_over_the_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KRONOS_PORT=1\nKRONOS_THREADS=3\n")
    monkeypatch.setenv("KRONOS_PORT", "2")
    read, _ = settings.read()
    assert (read.port, read.threads, read.max_context) == (2, 3, 512)


def test_an_empty_variable_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_PORT", "")
    assert settings.read()[0].port == 8000


def test_an_env_file_of_the_old_service_loads(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KRONOS_WORKERS=4\nPYTHONUNBUFFERED=1\nKRONOS_DEVICE=cpu\n")
    read, warnings = settings.read()
    assert read.device == "cpu"
    assert warnings == ["KRONOS_WORKERS is ignored: there is no such setting"]


def test_service_links_are_ignored_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    links = {
        "KRONOS_PORT": "tcp://10.0.0.1:8000",
        "KRONOS_PORT_8000_TCP": "tcp://10.0.0.1:8000",
        "KRONOS_PORT_8000_TCP_ADDR": "10.0.0.1",
        "KRONOS_SERVICE_HOST": "10.0.0.1",
        "KRONOS_CPU_SERVICE_PORT_HTTP": "8000",
    }
    for name, value in links.items():
        monkeypatch.setenv(name, value)
    read, warnings = settings.read()
    assert read.port == 8000
    assert [warning.split()[0] for warning in warnings] == sorted(links)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "many"), ("PORT", "70000"), ("DEFAULT_TOP_P", "-1"), ("POOL", "tpu"), ("LOG_LEVEL", "loud")],
)
def test_a_bad_value_fails_the_start_and_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"KRONOS_{name}", value)
    with pytest.raises(StartFailed, match=f"KRONOS_{name}"):
        settings.read()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1
