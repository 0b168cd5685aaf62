"""The server's configuration: one frozen value, read once. Environment over `.env` over defaults."""

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from kronos_server.errors import StartFailed

PREFIX = "KRONOS_"
TERMINATION_LOG = Path("/dev/termination-log")
# What Kubernetes puts into every pod of a namespace that holds a Service named `kronos` or `kronos-...`.
SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)")
SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _capitals(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_capitals)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """Every setting is the variable `KRONOS_` + its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        protected_namespaces=(),
    )

    app_name: str = Field("Kronos Forecast Server", description="Name in `GET /` and in the API's description.")
    host: str = Field("0.0.0.0", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    log_level: Level = Field("INFO", description="Least level logged.")

    model_id: str = Field("", description="Folder under the model path, else a hub id.")
    tokenizer_id: str = Field("", description="Folder under the model path, else a hub id.")
    model_path: Path = Field(Path("/models"), description="Root of the weights.")
    model_revision: str = Field("", description="Commit of the model on the hub.")
    tokenizer_revision: str = Field("", description="Commit of the tokenizer on the hub.")
    model_sha256: str = Field("", description="Digest that the model's weights must have.")

    device: str = Field("cpu", description="cpu, cuda, cuda:N, cuda:all, mps, auto, or a list.")
    device_fallback: Literal["", "cpu"] = Field(
        "", description="`cpu`: compute there when the named device is missing."
    )
    pool: Literal["", "cpu", "gpu"] = Field("", description="Pool this server belongs to; default: by its device.")
    pod_name: str = Field(default_factory=socket.gethostname, description="Name in the X-Kronos-Pod header.")
    peer_cpu_url: str = Field("", description="Where requests for the CPU pool are forwarded.")
    peer_gpu_url: str = Field("", description="Where requests for the GPU pool are forwarded.")
    threads: int = Field(0, ge=0, description="Threads of one engine; 0: the CPU quota divided by the engines.")

    max_context: int = Field(512, ge=1, description="Rows of the model's window.")
    clip_value: float = Field(5.0, gt=0, description="Bound of the scaled input, in standard deviations.")
    default_lookback: int = Field(400, ge=1, description="Unused; existing configurations may set it.")
    default_pred_len: int = Field(120, ge=1, le=512, description="Horizon where no prediction timestamps are given.")
    default_temperature: float = Field(1.0, ge=0, description="Sampling temperature; 0 is greedy.")
    default_top_k: int = Field(0, ge=0, description="Most likely tokens kept; 0 is off.")
    default_top_p: float = Field(0.9, ge=0, description="Probability mass kept; 1 is off.")
    default_sample_count: int = Field(1, ge=1, le=256, description="Sample paths averaged.")

    inference_timeout: float = Field(240, gt=0, description="Seconds for a forecast from its admission.")
    request_timeout: float = Field(300, gt=0, description="Seconds for a request from its arrival.")
    startup_timeout: float = Field(300, gt=0, description="Seconds until every engine must be warm.")
    keep_alive_seconds: int = Field(3700, ge=1, description="Idle connections live so long: above a proxy's limit.")
    drain_seconds: float = Field(5, ge=0, description="Seconds of accepting after SIGTERM, for proxies to notice.")
    grace_seconds: float = Field(30, ge=0, description="Seconds between SIGTERM and SIGKILL, as the pod declares it.")
    max_request_size_mb: float = Field(20, gt=0, description="Largest body, in MB of 1024 x 1024 bytes.")
    max_batch_size: int = Field(16, ge=1, description="Jobs that one engine computes at the same time.")
    cache_tokens: int = Field(0, ge=0, description="Rows remembered at a time; 0: what half the free memory holds.")
    max_queue_size: int = Field(512, ge=1, description="Jobs that wait for an engine before requests are refused.")

    context_policy: Literal["exact", "fit"] = Field("exact", description="Slide the window, or shorten the context.")
    enable_metrics: bool = Field(True, description="Serve Prometheus metrics.")
    security_enabled: bool = Field(False, description="Answer only peers on the whitelist.")
    container_whitelist: Names = Field((), description="Names and CIDRs that may ask, comma separated.")
    api_keys_path: Path | None = Field(None, description="File or folder of valid API keys, one a line; none: no keys.")
    cors_origins: Names = Field((), description="Origins whose pages may ask, comma separated.")
    trusted_proxies: Names = Field((), description="CIDRs whose X-Forwarded-For is believed, comma separated.")
    rate_limit_enabled: bool = Field(False, description="Limit requests by client.")
    rate_limit_per_minute: int = Field(100, ge=1, description="Requests a minute and client.")
    termination_log: Path = Field(TERMINATION_LOG, description="Where the reason of an end is left.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over `.env`, each without what service links inject."""
        for source in (env_settings, dotenv_settings):
            if isinstance(source, EnvSettingsSource):
                source.env_vars = {k: v for k, v in source.env_vars.items() if not _injected(k, v)}
        return init_settings, env_settings, dotenv_settings

    @property
    def max_request_bytes(self) -> int:
        """Largest body in bytes."""
        return int(self.max_request_size_mb * 1024 * 1024)


def read() -> tuple[Settings, list[str]]:
    """The settings, and warnings about variables that were left out. Raises `StartFailed` naming the bad ones."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise StartFailed(
            f"bad settings: {'; '.join(_complaint(e['loc'], e['msg']) for e in error.errors())}"
        ) from error
    present = {**dotenv_values(".env"), **os.environ}
    return settings, warnings(present)


def warnings(present: Mapping[str, str | None]) -> list[str]:
    """What to say about the variables that have our prefix and no effect."""
    ours = {name: value for name, value in present.items() if name.upper().startswith(PREFIX)}
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    injected = [name for name, value in ours.items() if _injected(name, value)]
    unknown = [name for name in ours if name.upper() not in known and name not in injected]
    return [f"{name} is ignored: it looks like a Kubernetes service link" for name in sorted(injected)] + [
        f"{name} is ignored: there is no such setting" for name in sorted(unknown)
    ]


def _injected(name: str, value: str | None) -> bool:
    ours = name.upper().startswith(PREFIX)
    return ours and bool(SERVICE_LINK.search(name.upper()) or SERVICE_ADDRESS.match(value or ""))


def _complaint(loc: tuple[str | int, ...], msg: str) -> str:
    return f"{PREFIX}{str(loc[0]).upper()}: {msg}"
