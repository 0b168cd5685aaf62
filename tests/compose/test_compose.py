"""compose.yaml holds together: profiles, names, hardening, and what nginx expects."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kronos_server.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
SERVERS = {name: service for name, service in SERVICES.items() if name != "edge"}
NGINX = (ROOT / "examples/compose/nginx.conf").read_text()


def in_profile(profile: str) -> set[str]:
    return {name for name, service in SERVICES.items() if profile in service["profiles"]}


@pytest.mark.parametrize(
    ("profile", "services"),
    [("cpu", {"cpu"}), ("gpu", {"gpu"}), ("hybrid", {"hybrid-cpu", "hybrid-gpu", "edge"})],
)
def test_a_profile_starts_its_services_and_one_of_them_is_reachable(profile: str, services: set[str]) -> None:
    assert in_profile(profile) == services
    assert [SERVICES[name]["ports"] for name in services if "ports" in SERVICES[name]] == [["8000:8000"]]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_without_rights_on_a_read_only_root(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "65532:65532"
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(volume.endswith(":ro") for volume in service["volumes"])


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_given_settings_that_exist(name: str) -> None:
    environment = SERVERS[name]["environment"]
    known = {f"KRONOS_{field}".upper() for field in Settings.model_fields} | {"HF_HOME"}
    assert environment.keys() <= known
    given = {key.removeprefix("KRONOS_").lower(): value for key, value in environment.items() if value is not None}
    Settings(**{key: value for key, value in given.items() if key != "hf_home"})


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_ends_later_than_its_longest_request(name: str) -> None:
    environment, grace = SERVERS[name]["environment"], SERVERS[name]["stop_grace_period"]
    assert grace == f"{environment['KRONOS_GRACE_SECONDS']}s"
    assert int(environment["KRONOS_GRACE_SECONDS"]) >= int(environment["KRONOS_REQUEST_TIMEOUT"]) + 15


@pytest.mark.parametrize(
    ("name", "pool", "device", "image"),
    [
        ("cpu", "cpu", "cpu", "kronos-server"),
        ("hybrid-cpu", "cpu", "cpu", "kronos-server"),
        ("gpu", "gpu", "cuda:all", "kronos-server-gpu"),
        ("hybrid-gpu", "gpu", "cuda:all", "kronos-server-gpu"),
    ],
)
def test_a_pool_has_its_device_and_its_image(name: str, pool: str, device: str, image: str) -> None:
    service = SERVERS[name]
    assert service["environment"]["KRONOS_POOL"] == pool
    assert service["environment"]["KRONOS_DEVICE"] == device
    assert service["image"].partition(":")[0] == image
    assert ("deploy" in service) == (pool == "gpu")
    assert (ROOT / service["build"]["dockerfile"]).name == ("Dockerfile.gpu" if pool == "gpu" else "Dockerfile")


def test_the_pools_of_a_hybrid_know_each_other() -> None:
    assert SERVERS["hybrid-cpu"]["environment"]["KRONOS_PEER_GPU_URL"] == "http://hybrid-gpu:8000"
    assert SERVERS["hybrid-gpu"]["environment"]["KRONOS_PEER_CPU_URL"] == "http://hybrid-cpu:8000"


def test_nginx_asks_the_services_that_are_there() -> None:
    asked = set(re.findall(r"server ([a-z-]+):(\d+)", NGINX))
    assert asked == {("hybrid-cpu", "8000"), ("hybrid-gpu", "8000")}
    assert "./examples/compose/nginx.conf:/etc/nginx/nginx.conf:ro" in SERVICES["edge"]["volumes"]


def test_nginx_lets_through_what_the_servers_accept_and_waits_longer_than_they_do() -> None:
    (body,) = re.findall(r"client_max_body_size (\d+)m;", NGINX)
    (wait,) = re.findall(r"proxy_read_timeout (\d+)s;", NGINX)
    assert int(body) == Settings.model_fields["max_request_size_mb"].default
    assert int(wait) > int(SERVERS["hybrid-cpu"]["environment"]["KRONOS_REQUEST_TIMEOUT"])


def test_without_further_ado_the_demo_checkpoint_is_served() -> None:
    (mount,) = SERVERS["cpu"]["volumes"]
    default = mount.partition(":-")[2].partition("}")[0]
    assert {"config.json", "model.safetensors", "tokenizer"} <= {path.name for path in (ROOT / default).iterdir()}
