"""The helm command, and what it renders."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/kronos"
NAMESPACE = "forecasts"

Manifest = dict[str, Any]


def hook(manifest: Manifest) -> str:
    """When helm runs a manifest as a hook; empty: never, it is installed."""
    when: str = manifest["metadata"].get("annotations", {}).get("helm.sh/hook", "")
    return when


class Release:
    """The manifests of one rendering: those that are installed, and those of hooks."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.manifests: list[Manifest] = [manifest for manifest in yaml.safe_load_all(text) if manifest]

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.manifests)

    def all(self, kind: str) -> list[Manifest]:
        """What is installed of a kind, hooks apart."""
        return [manifest for manifest in self if manifest["kind"] == kind and not hook(manifest)]

    def one(self, kind: str, name: str) -> Manifest:
        (found,) = [manifest for manifest in self.all(kind) if manifest["metadata"]["name"] == name]
        return found

    def hooks(self, when: str) -> dict[str, Manifest]:
        """The hooks of one moment by kind, of which each has one at most."""
        return {manifest["kind"]: manifest for manifest in self if hook(manifest) == when}

    @property
    def operator_pod(self) -> Manifest:
        (operator,) = self.all("Deployment")
        pod: Manifest = operator["spec"]["template"]
        return pod

    @property
    def operator_container(self) -> Manifest:
        (container,) = self.operator_pod["spec"]["containers"]
        manifest: Manifest = container
        return manifest

    @property
    def operator_settings(self) -> dict[str, str]:
        """The settings that the chart itself knows; the rest is filled in by Kubernetes."""
        return {
            variable["name"]: variable["value"] for variable in self.operator_container["env"] if "value" in variable
        }


class Helm:
    """Runs one helm binary with a home of its own, away from the user's configuration and cluster."""

    def __init__(self, binary: str, home: Path) -> None:
        self.binary = binary
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(home)}

    def run(self, *arguments: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        command = [self.binary, *arguments, *(["--values", "-"] if values else [])]
        return subprocess.run(
            command,
            env=self.environment,
            input=yaml.safe_dump(values) if values else "",
            capture_output=True,
            text=True,
            timeout=60,
        )

    def template(self, release: str, values: dict[str, Any], *flags: str) -> subprocess.CompletedProcess[str]:
        return self.run("template", release, str(CHART), "--namespace", NAMESPACE, *flags, values=values)

    def render(self, release: str = "kronos", *flags: str, **values: Any) -> Release:
        """Renders the chart with these top-level values."""
        done = self.template(release, values, *flags)
        assert done.returncode == 0, done.stderr
        return Release(done.stdout)

    def refuse(self, release: str = "kronos", **values: Any) -> str:
        """What helm says when it refuses these values."""
        done = self.template(release, values)
        assert done.returncode != 0, done.stdout
        return done.stderr
