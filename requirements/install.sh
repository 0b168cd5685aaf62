#!/bin/sh
# Makes the virtual environment /opt/kronos from a hashed requirement file, for the Dockerfiles: everything that this takes
# is gone again at the end of the step, so the layer holds packages and no installer.
set -eu
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q --yes --no-install-recommends python3-venv
python3 -m venv /tmp/installer
/tmp/installer/bin/pip install --quiet --no-cache-dir --require-hashes -r "$(dirname "$0")/installer.txt"
/tmp/installer/bin/uv venv --quiet --python /usr/bin/python3 /opt/kronos
UV_SYSTEM_CERTS=1 /tmp/installer/bin/uv pip install --quiet --python /opt/kronos --link-mode copy --compile-bytecode \
    --require-hashes -r "$1"
rm -rf /tmp/installer /root/.config
DEBIAN_FRONTEND=noninteractive apt-get purge -q --yes --auto-remove python3-venv
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt
