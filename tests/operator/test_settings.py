"""The operator's configuration."""

import json

import pytest
from pydantic import ValidationError

from kronos_operator.settings import Settings


def test_the_environment_wins_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_OPERATOR_CPU_IMAGE", "registry/server:2")
    monkeypatch.setenv("KRONOS_OPERATOR_WATCH_NAMESPACES", "one, two")
    monkeypatch.setenv("KRONOS_OPERATOR_RESYNC_SECONDS", "7")
    monkeypatch.setenv(
        "KRONOS_OPERATOR_DEFAULT_MODEL", json.dumps({"name": "demo", "source": {"image": {"reference": "x"}}})
    )
    settings = Settings()
    assert settings.cpu_image == "registry/server:2"
    assert settings.watch_namespaces == ("one", "two")
    assert settings.resync_seconds == 7
    assert settings.default_model.source
    assert settings.default_model.source.image


def test_no_namespaces_means_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_OPERATOR_WATCH_NAMESPACES", "")
    assert Settings().watch_namespaces == ()


def test_a_typo_in_the_default_model_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KRONOS_OPERATOR_DEFAULT_MODEL", '{"nmae": "demo"}')
    with pytest.raises(ValidationError, match="nmae"):
        Settings()
