"""Every rule of the definition that spans fields, with a spec on each side of it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from e2e.bounds import fields
from e2e.whole import COMMIT

Spec = dict[str, Any]


class Example(NamedTuple):
    """The part of a resource that a rule is about, once as it should be and once not."""

    accepted: Any
    refused: Any


class Rule(NamedTuple):
    """One rule at one place: its sentence, and specs that differ in what the rule is about."""

    field: str
    sentence: str
    accepted: Spec
    refused: Spec


_PIN = {"revision": COMMIT, "tokenizer": {"name": "b/tokenizer", "revision": COMMIT}}
_HUB = {"name": "a/model", **_PIN}
_CLAIM = {"claimName": "weights", "path": "small", "tokenizerPath": "tokenizer"}
_VOLUME = {"name": "small", "source": {"persistentVolumeClaim": _CLAIM}}
_METRICS = [{"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "5"}}}]
_MIG = {"accelerator": {"resource": "nvidia.com/mig-1g.5gb"}}

# What a rule says -> the spec, or the pool that is put in its place for both pools.
_SPECS = {
    "declare spec.cpu, spec.gpu or both": Example({"cpu": {}}, {}),
    **{
        f"routing.{route} names the pool {pool}, which is not declared: add spec.{pool}": Example(
            {pool: {}, "routing": {route: pool}}, {other: {}, "routing": {route: pool}}
        )
        for route in ("single", "batch")
        for pool, other in (("cpu", "gpu"), ("gpu", "cpu"))
    },
    "a model from the hub needs revision: pin the commit": Example(
        {"cpu": {}, "model": _HUB}, {"cpu": {}, "model": {"name": "a/model", "tokenizer": _PIN["tokenizer"]}}
    ),
    "a model from the hub needs tokenizer.name and tokenizer.revision: pin the commit": Example(
        {"cpu": {}, "model": _HUB}, {"cpu": {}, "model": {**_HUB, "tokenizer": {"name": "b/tokenizer"}}}
    ),
    "revision and tokenizer are for models from the hub: a volume holds its own (pin it with sha256)": Example(
        {"cpu": {}, "model": {**_VOLUME, "sha256": "0" * 64}}, {"cpu": {}, "model": {**_VOLUME, "revision": COMMIT}}
    ),
    "give at most one of huggingFace, persistentVolumeClaim and image": Example(
        {"cpu": {}, "model": {"name": "small", "source": {"image": {"reference": "weights"}}}},
        {
            "cpu": {},
            "model": {"name": "small", "source": {"image": {"reference": "weights"}, "persistentVolumeClaim": _CLAIM}},
        },
    ),
    "tlsSecretName needs hosts": Example(
        {"cpu": {}, "ingress": {"tlsSecretName": "tls", "hosts": ["a.example"]}},
        {"cpu": {}, "ingress": {"tlsSecretName": "tls"}},
    ),
}
_POOLS = {
    "give replicas or autoscaling, not both": Example(
        {"autoscaling": {"maxReplicas": 2, "metrics": _METRICS}},
        {"replicas": 1, "autoscaling": {"maxReplicas": 2, "metrics": _METRICS}},
    ),
    "minReplicas must not be above maxReplicas": Example(
        {"autoscaling": {"minReplicas": 2, "maxReplicas": 2, "metrics": _METRICS}},
        {"autoscaling": {"minReplicas": 3, "maxReplicas": 2, "metrics": _METRICS}},
    ),
    "autoscaling of the GPU pool needs metrics: the CPU says nothing about a GPU's load": Example(
        {"autoscaling": {"maxReplicas": 2, "metrics": _METRICS}}, {"autoscaling": {"maxReplicas": 2}}
    ),
    "KRONOS_* variables are set by the operator: use the fields of the spec": Example(
        {"env": [{"name": "KRONO", "value": "1"}]}, {"env": [{"name": "KRONOS_PORT", "value": "1"}]}
    ),
}
# One sentence, several rules: an example for each of them, told apart by its end.
_LABELS = "labels of kronos.dev/ and app.kubernetes.io/ belong to the operator: choose another key"
_GIVEN_TWICE = "the accelerator is set by accelerator.resource and accelerator.count: leave it out of resources"
_SEVERAL = {
    _LABELS: [
        Example({"podLabels": {"team": "a"}}, {"podLabels": {f"{group}/name": "a"}})
        for group in ("kronos.dev", "app.kubernetes.io")
    ],
    _GIVEN_TWICE: [
        Example({"resources": {part: {"cpu": "1"}}, **device}, {"resources": {part: {name: "1"}}, **device})
        for part in ("limits", "requests")
        for name, device in (("nvidia.com/gpu", {}), ("nvidia.com/mig-1g.5gb", _MIG))
    ],
}
_PATHS = {
    "the path is relative to the volume: leave out the leading /": Example("small/weights", "/small"),
    "the path must stay inside the volume: leave out ..": Example("small.weights", "../small"),
}


def sentences() -> set[str]:
    """Every sentence that has an example."""
    return {*_SPECS, *_POOLS, *_SEVERAL, *_PATHS}


def rules() -> Iterator[Rule]:
    """Every rule of the definition with its examples; raises KeyError for a rule without."""
    for path, schema in fields():
        for sentence in dict.fromkeys(each["message"] for each in schema.get("x-kubernetes-validations", ())):
            for example in _examples(sentence, path):
                yield Rule(_place(path, sentence), sentence, example.accepted, example.refused)


def _examples(sentence: str, path: tuple[str, ...]) -> list[Example]:
    if sentence in _SPECS:
        return [_SPECS[sentence]]
    if sentence in _PATHS:
        return [_on_claim(_PATHS[sentence], path[-1])]
    pool = path[1]
    found = _SEVERAL[sentence] if sentence in _SEVERAL else [_POOLS[sentence]]
    return [Example({pool: each.accepted}, {pool: each.refused}) for each in found]


def _on_claim(example: Example, field: str) -> Example:
    specs = (
        {"cpu": {}, "model": {"name": "small", "source": {"persistentVolumeClaim": {**_CLAIM, field: value}}}}
        for value in example
    )
    return Example(*specs)


def _place(path: tuple[str, ...], sentence: str) -> str:
    """Where the API server says that it is: it names a field of the spec itself by the sentence only."""
    told = ".".join(path).replace(".[]", "[0]")
    return sentence.split(" ", 1)[0] if told == "spec" and sentence.startswith("routing.") else told
