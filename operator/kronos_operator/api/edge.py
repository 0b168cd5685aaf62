"""The ways in from outside: an Ingress, an HTTPRoute, or both."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from kronos_operator.api.structure import HOST_PATTERN, LABEL_PATTERN, ObjectName, Structure, rules

Host = Annotated[str, Field(pattern=HOST_PATTERN, min_length=1, max_length=253)]


class Ingress(Structure):
    """An Ingress in front of both routes; {} is one without host."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!has(self.tlsSecretName) || (has(self.hosts) && size(self.hosts) > 0)", "tlsSecretName needs hosts")
        )
    )
    ingress_class_name: ObjectName | None = Field(None, description="Ingress class; absent: the cluster's default.")
    hosts: Annotated[tuple[Host, ...], Field(max_length=16)] | None = Field(
        None, description="Host names; absent: every host."
    )
    annotations: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)] | None = Field(
        None, description="Annotations for the controller, as its timeouts and body size."
    )
    tls_secret_name: ObjectName | None = Field(None, description="Secret with the certificate of the hosts.")
    paths: Literal["All", "Forecasts"] = Field("All", description="Forecasts leaves out everything but /v1/predict/*.")


class ParentReference(Structure):
    """Names a Gateway, and a listener of it."""

    name: ObjectName = Field(description="Name of the Gateway.")
    namespace: Annotated[str, Field(pattern=LABEL_PATTERN, min_length=1, max_length=63)] | None = Field(
        None, description="Its namespace; absent: the same."
    )
    section_name: ObjectName | None = Field(None, description="One listener of it; absent: all.")


class Gateway(Structure):
    """An HTTPRoute behind a Gateway (Gateway API v1)."""

    parent_refs: Annotated[tuple[ParentReference, ...], Field(min_length=1, max_length=8)] = Field(
        description="The Gateways that the route belongs to."
    )
    hostnames: Annotated[tuple[Host, ...], Field(max_length=16)] | None = Field(
        None, description="Host names; absent: those of the listeners."
    )
