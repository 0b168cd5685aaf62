"""Command line of the local cluster: `python -m cluster --help`."""

import argparse
import os
import sys

from cluster import demo, local
from cluster.binaries import program
from cluster.progress import StepFailed, say


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="cluster", description="A real single-node Kubernetes, without Docker.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring the cluster up, or keep the one that runs")
    commands.add_parser("down", help="remove every process, mount, namespace and interface of the cluster")
    commands.add_parser("demo", help="cluster, images, chart, a KronosDeployment, and forecasts through the Ingress")
    which = commands.add_parser("which", help="print the path of a program (kubectl, helm, ...), built when missing")
    which.add_argument("program")
    options = parser.parse_args(arguments)
    try:
        if options.command == "which":
            print(program(options.program))  # noqa: T201 - the answer
        else:
            _require_root()
            {"up": local.up, "down": local.down, "demo": demo.run_demo}[options.command]()
    except StepFailed as failure:
        say(f"\n{failure}\n\nMend it and run the same command again: it goes on from there.")
        return 1
    return 0


def _require_root() -> None:
    if os.geteuid() != 0:
        raise StepFailed("the local cluster needs root: run it as root, or set KUBECONFIG and KRONOS_USE_CLUSTER=1")


sys.exit(main())
