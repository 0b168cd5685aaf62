"""Command line of the local cluster: `python -m cluster --help`."""

import argparse
import os
import sys

from cluster import demo, local
from cluster.binaries import install_debian_packages, program
from cluster.images import ALL, SERVER_GPU, build_image
from cluster.progress import StepFailed, say


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="cluster", description="A real single-node Kubernetes, without Docker.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring the cluster up, or keep the one that runs")
    commands.add_parser("down", help="remove every process, mount, namespace and interface of the cluster")
    commands.add_parser("demo", help="cluster, images, chart, a KronosDeployment, and forecasts through the Ingress")
    images = commands.add_parser("images", help="build images; without a name, those that a cluster needs")
    images.add_argument("name", nargs="*", choices=[image.name for image in (*ALL, SERVER_GPU)], default=[])
    which = commands.add_parser("which", help="print the path of a program (kubectl, helm, ...), built when missing")
    which.add_argument("program")
    options = parser.parse_args(arguments)
    try:
        if options.command == "which":
            print(program(options.program))  # noqa: T201 - the answer
        elif options.command == "images":
            _build_images(options.name)
        else:
            _require_root()
            {"up": local.up, "down": local.down, "demo": demo.run_demo}[options.command]()
    except StepFailed as failure:
        say(f"\n{failure}\n\nMend it and run the same command again: it goes on from there.")
        return 1
    return 0


def _build_images(names: list[str]) -> None:
    install_debian_packages()
    for image in [image for image in (*ALL, SERVER_GPU) if image.name in names] or ALL:
        build_image(image)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise StepFailed("the local cluster needs root: run it as root, or set KUBECONFIG and KRONOS_USE_CLUSTER=1")


sys.exit(main())
