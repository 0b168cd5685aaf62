"""The operator's own configuration."""

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kronos_operator.api.model import Model, Tokenizer

KRONOS_SMALL = Model(
    name="NeoQuasar/Kronos-small",
    revision="901c26c1332695a2a8f243eb2f37243a37bea320",
    sha256="b082dfcbd8e8c142a725c8bbb99781802f38fec81210e13479effb32b3c3e020",
    tokenizer=Tokenizer(name="NeoQuasar/Kronos-Tokenizer-base", revision="0e0117387f39004a9016484a186a908917e22426"),
)


class Settings(BaseSettings):
    """Read once from KRONOS_OPERATOR_* and passed down."""

    model_config = SettingsConfigDict(env_prefix="KRONOS_OPERATOR_", frozen=True)

    cpu_image: str = Field("kronos-server:latest", min_length=1, description="Server image of CPU pools.")
    gpu_image: str = Field("kronos-server-gpu:latest", min_length=1, description="Server image of GPU pools.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="Pull policy of both images."
    )
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Namespaces to serve, separated by commas; empty: all."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    resync_seconds: float = Field(300, gt=0, description="Time between two looks at every resource, in seconds.")
    namespace: str = Field("", description="The operator's own namespace, for its Lease; empty: it is the only one.")
    lease_name: str = Field("kronos-operator", min_length=1, description="Name of the Lease of its replicas.")
    probe_port: int = Field(8080, ge=1, le=65535, description="Port of /healthz, /readyz and /metrics.")
    default_model: Model = Field(
        KRONOS_SMALL, description="Model of resources that name none, in the form of spec.model."
    )
    testing_gpu_device: str = Field(
        "", description="For tests on simulated GPUs: KRONOS_DEVICE of GPU pools, instead of cuda:all."
    )

    @field_validator("watch_namespaces", mode="before")
    @classmethod
    def _split(cls, names: object) -> object:
        if isinstance(names, str):
            return tuple(name.strip() for name in names.split(",") if name.strip())
        return names
