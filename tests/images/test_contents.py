"""What is in the images, and what is not."""

import re
import tomllib
from typing import Any

import pytest

from cluster.layout import REPOSITORY
from images.built import Built
from images.requirement_files import name_of, required

REQUIREMENTS = {"operator": "operator", "server": "server", "server_gpu": "server"}
MEGABYTE = 1000 * 1000
# Programs that somebody could build or load something with.
SHELLS = r"(ba|da|z|c|k)?sh|busybox|perl.*"
COMPILERS = r"g?cc|[cg]\+\+|clang.*|ld|as|make"
INSTALLERS = r"pip[\d.]*|uv|apt(-.*)?|dpkg(-.*)?|curl|wget"
PROGRAMS = """
    import json, os
    paths = [os.path.join(folder, name) for folder, _, names in os.walk("/") for name in names
             if not folder.startswith(("/proc", "/sys", "/dev"))]
    print(json.dumps([path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]))
"""
SIZE = """
    import json, os
    found = [os.lstat(os.path.join(folder, name)) for folder, _, names in os.walk("/") for name in names
             if not folder.startswith(("/proc", "/sys", "/dev"))]
    print(json.dumps(sum({(file.st_dev, file.st_ino): file.st_size for file in found}.values())))
"""
INSTALLED = """
    import importlib.metadata as metadata, json
    print(json.dumps({found.name: found.version for found in metadata.distributions()}))
"""
EXTENSIONS = """
    import importlib, json, pathlib, sysconfig
    failed = {}
    for path in pathlib.Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("*.so"):
        try:
            importlib.import_module(path.name.partition(".")[0])
        except ImportError as error:
            failed[path.name] = str(error)
    print(json.dumps(failed))
"""
IMPORTABLE = """
    import importlib.util, json
    names = ["torch", "pandas", "pip", "model", "kronos_server", "kronos_operator"]
    print(json.dumps([name for name in names if importlib.util.find_spec(name)]))
"""
TORCH = "import json, torch; print(json.dumps([torch.__version__, torch.version.cuda]))"
PROCESS = """
    import json, os, ssl
    ids = [os.getuid(), os.getgid(), *os.getgroups()]
    print(json.dumps({"ids": ids, "authorities": len(ssl.create_default_context().get_ca_certs())}))
"""


def test_it_runs_as_a_numeric_user_without_groups(image: Built) -> None:
    assert image.config["User"] == "65532:65532"
    assert set(image.python(PROCESS)["ids"]) == {65532}


def test_it_trusts_certificate_authorities(image: Built) -> None:
    assert image.python(PROCESS)["authorities"] > 100


def test_no_shell_compiler_or_installer_is_in_it(image: Built) -> None:
    programs = image.python(PROGRAMS)
    assert "/usr/bin/python3.13" in programs
    assert [
        path for path in programs if re.fullmatch(f"{SHELLS}|{COMPILERS}|{INSTALLERS}", path.rpartition("/")[2])
    ] == []


def test_every_part_of_pythons_library_loads(image: Built) -> None:
    assert image.python(EXTENSIONS) == {}


@pytest.mark.parametrize(("which", "program"), REQUIREMENTS.items())
def test_exactly_the_hashed_requirements_are_installed(
    request: pytest.FixtureRequest, which: str, program: str
) -> None:
    installed = request.getfixturevalue(which).python(INSTALLED)
    assert {name_of(name): version for name, version in installed.items()} == required(program)


def test_the_operators_image_holds_no_torch_and_is_small(operator: Built) -> None:
    assert operator.python(IMPORTABLE) == ["kronos_operator"]
    assert operator.python(SIZE) < 200 * MEGABYTE


def test_the_servers_image_says_which_torch_it_took(server: Built) -> None:
    version, cuda = server.python(TORCH)
    pinned = server.config["Labels"]["dev.kronos.torch"] == "pinned"
    assert version.partition("+")[0] == required("server")["torch"]
    assert pinned == (not version.endswith("+cpu"))
    assert pinned or cuda is None
    assert server.python(IMPORTABLE) == ["torch", "pandas", "model", "kronos_server"]


def test_the_gpu_image_computes_on_cuda_and_asks_for_the_driver(server_gpu: Built) -> None:
    assert server_gpu.python(TORCH)[1] is not None
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in server_gpu.config["Env"]
    assert "NVIDIA_VISIBLE_DEVICES=all" in server_gpu.config["Env"]


def test_labels_say_what_it_is(image: Built) -> None:
    labels: dict[str, Any] = image.config["Labels"]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert labels["org.opencontainers.image.title"].startswith("Kronos ")
    assert labels["org.opencontainers.image.description"]
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]
    assert re.fullmatch(r"[0-9a-f]{40}(-edited)?|unknown", labels["org.opencontainers.image.revision"])
