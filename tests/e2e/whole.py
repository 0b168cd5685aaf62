"""Specs in which every field of the definition occurs; the test of the bounds changes one field at a time."""

from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RULES = {
    "stabilizationWindowSeconds": 60,
    "selectPolicy": "Max",
    "tolerance": "0.1",
    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
}
_AUTOSCALING = {
    "minReplicas": 1,
    "maxReplicas": 1000,
    "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}],
    "behavior": {"scaleUp": _RULES, "scaleDown": _RULES},
}
_SPREAD = {
    "maxSkew": 1,
    "topologyKey": "topology.kubernetes.io/zone",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {
        "matchLabels": {"team": "quant"},
        "matchExpressions": [{"key": "team", "operator": "In", "values": ["quant"]}],
    },
    "matchLabelKeys": ["pod-template-hash"],
    "minDomains": 1,
    "nodeAffinityPolicy": "Honor",
    "nodeTaintsPolicy": "Ignore",
}
_KEY = {"name": "tuning", "key": "bind", "optional": True}
_POOL = {
    "image": "registry.example/kronos-server:1",
    "imagePullSecrets": [{"name": "registry"}],
    "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "4Gi"}},
    "nodeSelector": {"disk": "fast"},
    "tolerations": [
        {"key": "batch", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 60}
    ],
    "affinity": {},
    "topologySpreadConstraints": [_SPREAD],
    "priorityClassName": "forecasts",
    "runtimeClassName": "nvidia",
    "env": [
        {
            "name": "TUNING",
            "value": "1",
            "valueFrom": {
                "secretKeyRef": _KEY,
                "configMapKeyRef": _KEY,
                "fieldRef": {"fieldPath": "metadata.name"},
            },
        }
    ],
    "podLabels": {"team": "quant"},
    "podAnnotations": {"example.com/owner": "quant"},
    "rollout": {"strategy": "Surge", "progressDeadlineSeconds": 600, "onFailure": "Rollback"},
}
_ACCELERATOR = {"resource": "nvidia.com/gpu", "count": 1}
_HUB = {
    "name": "owner/model",
    "revision": COMMIT,
    "sha256": "0" * 64,
    "tokenizer": {"name": "owner/tokenizer", "revision": COMMIT},
    "maxContext": 512,
    "source": {"huggingFace": {"tokenSecretName": "hub"}},
}
_CLAIM = {"claimName": "weights", "path": "small", "tokenizerPath": "small/tokenizer"}
_IMAGE = {"reference": "registry.example/weights:1", "pullPolicy": "Always"}
_REST = {
    "routing": {
        "single": "cpu",
        "batch": "gpu",
        "failover": {"mode": "Automatic", "afterSeconds": 3, "backAfterSeconds": 30},
        "settleSeconds": 5,
    },
    "server": {
        "requestTimeoutSeconds": 60,
        "drainSeconds": 5,
        "defaultPredLen": 120,
        "rateLimitPerMinutePerPod": 600,
        "apiKeysSecretName": "api-keys",
        "logLevel": "INFO",
    },
    "ingress": {
        "ingressClassName": "contour",
        "hosts": ["*.forecasts.example"],
        "annotations": {"projectcontour.io/response-timeout": "65s"},
        "tlsSecretName": "forecasts-tls",
        "paths": "All",
    },
    "gateway": {
        "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https"}],
        "hostnames": ["forecasts.example"],
    },
    "paused": True,
}
_SCALED = {**_POOL, "autoscaling": _AUTOSCALING}
_FIXED = {**_POOL, "replicas": 2}
# Fields that exclude each other are in different ones.
SPECS: tuple[dict[str, Any], ...] = (
    {**_REST, "model": _HUB, "cpu": _SCALED, "gpu": {**_SCALED, "accelerator": _ACCELERATOR}},
    {**_REST, "model": {"name": "small", "source": {"persistentVolumeClaim": _CLAIM}}, "cpu": _FIXED, "gpu": _FIXED},
    {**_REST, "model": {"name": "small", "source": {"image": _IMAGE}}, "cpu": _FIXED, "gpu": _FIXED},
)
