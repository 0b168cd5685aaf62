"""kind's command line over the local node, as far as it is used here."""

import argparse
import shutil
import sys
from pathlib import Path

from cluster import local, runtime
from cluster.layout import NAME, layout
from cluster.progress import StepFailed, say, step


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        match options.verb, options.noun:
            case "get", "clusters":
                if local.whole():
                    print(NAME)  # noqa: T201 - the answer
            case "create", "cluster":
                local.up()
                _export(options.kubeconfig)
            case "export", "kubeconfig":
                _export(options.kubeconfig)
            case "load", "docker-image":
                _load(options.image)
            case "delete", "cluster":
                local.down()
    except StepFailed as failure:
        say(str(failure))
        return 1
    return 0


def _export(kubeconfig: Path | None) -> None:
    if kubeconfig:
        shutil.copy(layout().kubeconfig, kubeconfig)


def _load(reference: str) -> None:
    if not runtime.has_image(reference):
        with step(f"load image {reference}"):
            runtime.load_image(reference)
    runtime.remove_images(reference.rpartition(":")[0], keep=reference)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kind", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    get = verbs.add_parser("get")
    get.add_argument("noun", choices=["clusters"])
    for verb, noun in (("create", "cluster"), ("delete", "cluster"), ("export", "kubeconfig")):
        command = verbs.add_parser(verb)
        command.add_argument("noun", choices=[noun])
        command.add_argument("--name", choices=[NAME], default=NAME)
        command.add_argument("--kubeconfig", type=Path)
    load = verbs.add_parser("load")
    load.add_argument("noun", choices=["docker-image"])
    load.add_argument("--name", choices=[NAME], default=NAME)
    load.add_argument("image")
    return parser


if __name__ == "__main__":
    sys.exit(main())
