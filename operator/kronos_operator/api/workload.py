"""The Kubernetes types that a pool passes on to its pods, with the names Kubernetes gives them."""

from typing import Annotated, Literal

from pydantic import Field

from kronos_operator.api.structure import (
    Anything,
    LabelValue,
    ObjectName,
    QualifiedName,
    Quantity,
    Structure,
    keyed_by,
    rules,
)


class LocalReference(Structure):
    """Names an object in the same namespace."""

    name: ObjectName = Field(description="Name of the object, in the same namespace.")


class KeyReference(Structure):
    """Names one key of a Secret or ConfigMap in the same namespace."""

    name: ObjectName = Field(description="Name of the object, in the same namespace.")
    key: str = Field(min_length=1, max_length=253, description="Key inside it.")
    optional: bool | None = Field(None, description="Whether a missing object or key is fine.")


class FieldReference(Structure):
    """Names one field of the pod."""

    field_path: str = Field(min_length=1, max_length=253, description="Path of the pod's field, as metadata.name.")


class ValueSource(Structure):
    """Where the value of an environment variable comes from."""

    secret_key_ref: KeyReference | None = Field(None, description="A key of a Secret.")
    config_map_key_ref: KeyReference | None = Field(None, description="A key of a ConfigMap.")
    field_ref: FieldReference | None = Field(None, description="A field of the pod.")


class EnvVar(Structure):
    """One environment variable of the server container."""

    name: str = Field(
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of the variable. KRONOS_* belongs to the operator.",
        json_schema_extra=rules(
            ("!self.startsWith('KRONOS_')", "KRONOS_* variables are set by the operator: use the fields of the spec"),
        ),
    )
    value: str | None = Field(None, max_length=32768, description="Its value.")
    value_from: ValueSource | None = Field(None, description="Where its value comes from, instead of value.")


Quantities = Annotated[dict[str, Quantity], Field(max_length=16)]


class Resources(Structure):
    """What the server container asks for and may use at most."""

    limits: Quantities | None = Field(None, description="The most it may use, as {cpu: 2, memory: 4Gi}.")
    requests: Quantities | None = Field(None, description="What is set aside for it.")


class Toleration(Structure):
    """Lets pods run on nodes with a taint."""

    key: QualifiedName | None = Field(None, description="Key of the taint; absent with Exists: every taint.")
    operator: Literal["Exists", "Equal"] | None = Field(None, description="How the value is compared.")
    value: LabelValue | None = Field(None, description="Value of the taint, with Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint; absent: every effect."
    )
    toleration_seconds: int | None = Field(None, ge=0, description="How long a NoExecute taint is borne, in seconds.")


class LabelRequirement(Structure):
    """One requirement on a label."""

    key: QualifiedName = Field(description="Key of the label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(description="How the values are compared.")
    values: tuple[LabelValue, ...] | None = Field(None, max_length=32, description="Values of In and NotIn.")


class LabelSelector(Structure):
    """Selects pods by their labels."""

    match_labels: Annotated[dict[str, LabelValue], Field(max_length=32)] | None = Field(
        None, description="Labels with exactly these values."
    )
    match_expressions: tuple[LabelRequirement, ...] | None = Field(None, max_length=32, description="Requirements.")


class TopologySpread(Structure):
    """How pods are spread over nodes or zones."""

    max_skew: int = Field(ge=1, description="Largest difference in pods between two domains.")
    topology_key: QualifiedName = Field(description="Node label that names the domain.")
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = Field(description="What to do where it fails.")
    label_selector: LabelSelector | None = Field(None, description="Pods that are counted; absent: the pool's.")
    match_label_keys: tuple[QualifiedName, ...] | None = Field(
        None, max_length=8, description="Labels of the new pod that narrow the selector; absent: the template's hash."
    )
    min_domains: int | None = Field(None, ge=1, description="Fewest domains that must exist.")
    node_affinity_policy: Literal["Honor", "Ignore"] | None = Field(None, description="Whether affinity counts.")
    node_taints_policy: Literal["Honor", "Ignore"] | None = Field(None, description="Whether taints count.")


PullPolicy = Literal["Always", "IfNotPresent", "Never"]

OUR_LABELS = "labels of kronos.dev/ and app.kubernetes.io/ belong to the operator: choose another key"


class Workload(Structure):
    """What can be said about the pods of either pool."""

    image: str | None = Field(
        None, min_length=1, max_length=512, description="Server image; absent: the operator's, by digest."
    )
    image_pull_secrets: tuple[LocalReference, ...] | None = Field(
        None, max_length=16, description="Secrets for the registry.", json_schema_extra=keyed_by("name")
    )
    resources: Resources | None = Field(None, description="Requests and limits of the server container.")
    node_selector: Annotated[dict[str, LabelValue], Field(max_length=32)] | None = Field(
        None, description="Node labels that pods need; {} switches the GPU pool's default off."
    )
    tolerations: tuple[Toleration, ...] | None = Field(
        None, max_length=32, description="Taints that pods bear, besides the GPU pool's default."
    )
    affinity: Anything | None = Field(None, description="Affinity as in a pod's spec.")
    topology_spread_constraints: tuple[TopologySpread, ...] | None = Field(
        None,
        max_length=8,
        description="Spreading; absent: over nodes where possible.",
        json_schema_extra=keyed_by("topologyKey", "whenUnsatisfiable"),
    )
    priority_class_name: ObjectName | None = Field(None, description="Priority class of the pods.")
    runtime_class_name: ObjectName | None = Field(None, description="Runtime class, as nvidia; no default.")
    env: tuple[EnvVar, ...] | None = Field(
        None, max_length=64, description="More environment variables.", json_schema_extra=keyed_by("name")
    )
    pod_labels: Annotated[dict[str, LabelValue], Field(max_length=32)] | None = Field(
        None,
        description="More labels of the pods.",
        json_schema_extra=rules(
            ("self.all(key, !key.startsWith('kronos.dev/') && !key.startsWith('app.kubernetes.io/'))", OUR_LABELS)
        ),
    )
    pod_annotations: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=32)] | None = Field(
        None, description="More annotations of the pods."
    )
