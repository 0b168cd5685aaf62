"""Brings the definition in the cluster up to the one of this version; the chart runs it before an upgrade."""

import asyncio
import sys

from kubernetes.aio.client import ApiClient, ApiException, ApiextensionsV1Api, V1CustomResourceDefinition
from kubernetes.aio.config import load_incluster_config

from kronos_operator.crd import REVISION_ANNOTATION, SCHEMA_REVISION, crd

# The manager of what Helm installs: under any other name, a later `helm install` would find conflicts.
FIELD_MANAGER = "helm"
TIMEOUT_SECONDS = 30.0


class UpgradeRefusedError(Exception):
    """The definition in the cluster must stay as it is; the message says why, and what to do."""


async def upgrade(api: ApiextensionsV1Api) -> None:
    """Apply our definition over the installed one.

    Raises UpgradeRefusedError where none is installed or a newer one is, ApiException for any other answer.
    """
    definition = crd()
    name = definition["metadata"]["name"]
    try:
        live = await api.read_custom_resource_definition(name, _request_timeout=TIMEOUT_SECONDS)
    except ApiException as error:
        if error.status == 404:
            raise UpgradeRefusedError(f"{name} is not installed: kubectl apply the chart's crds folder first") from None
        raise
    check_direction(revision_of(live))
    await api.patch_custom_resource_definition(
        name,
        definition,
        field_manager=FIELD_MANAGER,
        force=True,
        _content_type="application/apply-patch+yaml",
        _request_timeout=TIMEOUT_SECONDS,
    )


def revision_of(live: V1CustomResourceDefinition) -> str | None:
    """The schema revision that an installed definition carries."""
    annotations = live.metadata.annotations if live.metadata else None
    return (annotations or {}).get(REVISION_ANNOTATION)


def check_direction(installed: str | None) -> None:
    """Raises UpgradeRefusedError where the installed revision is above ours; one without a number is older."""
    if installed is not None and int(installed) > SCHEMA_REVISION:
        raise UpgradeRefusedError(
            f"the installed CRD has schema revision {installed} and this version brings {SCHEMA_REVISION}: another "
            "release on this cluster is newer. Upgrade to its version, or set crdUpgrade.enabled=false to keep it"
        )


async def run() -> None:
    """Upgrade with the rights of the pod's service account."""
    load_incluster_config()  # type: ignore[no-untyped-call]
    async with ApiClient() as client:
        await upgrade(ApiextensionsV1Api(client))


def main() -> None:
    """Upgrade, or end with one line that says why not."""
    try:
        asyncio.run(run())
    except (UpgradeRefusedError, ApiException) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
