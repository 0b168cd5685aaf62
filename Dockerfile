# Two images from one file: `--target operator` (no torch) and `--target server` (the forecast server on CPU).
# Dockerfile.gpu builds the server on CUDA. Build arguments:
#   TORCH_INDEX, TORCH_SHA256   address of a package index with PyTorch's CPU builds, and the hash of the wheel there; without
#                               them torch is the one of requirements/server.txt, which on x86-64 carries CUDA (5 GB).
#                               The build log and the label dev.kronos.torch say which it was.
#   VERSION, REVISION           labels of the image
#   SSL_CERT_FILE               certificates to trust while building, on networks that intercept TLS
#   UV_CACHE_DIR                where downloads are kept between builds
ARG BASE=debian:trixie-slim

# Everything that building takes is in this stage and stays there.
FROM ${BASE} AS build
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -q --yes --no-install-recommends ca-certificates python3-venv
ARG SSL_CERT_FILE
COPY requirements/installer.txt /opt/requirements/
RUN python3 -m venv /opt/installer \
    && /opt/installer/bin/pip install --quiet --no-cache-dir --require-hashes -r /opt/requirements/installer.txt
COPY requirements/root.sh /opt/requirements/
RUN sh /opt/requirements/root.sh /image

# Python and what it loads: no shell, no package manager, no pip, no compiler.
FROM scratch AS python
COPY --from=build /image /
ENV PATH=/opt/kronos/bin:/usr/bin PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

FROM python AS operator
ARG SSL_CERT_FILE
ARG UV_CACHE_DIR=/cache
COPY requirements/install.py requirements/operator.txt /opt/requirements/
RUN --mount=type=bind,from=build,source=/opt/installer/bin,target=/installer --mount=type=cache,target=/cache \
    ["python3", "/opt/requirements/install.py", "/installer/uv", "/opt/requirements/operator.txt"]
COPY operator/kronos_operator /opt/kronos/lib/python3.13/site-packages/kronos_operator
RUN ["python", "-m", "compileall", "-q", "/opt/kronos/lib/python3.13/site-packages/kronos_operator"]
USER 65532:65532
ENTRYPOINT ["python", "-m", "kronos_operator"]
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Kronos operator" \
      org.opencontainers.image.description="Turns KronosDeployment resources into running forecast servers." \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION}

# The packages of the server, torch among them, are a layer apart from our code: a change of ours moves a few kilobytes.
FROM python AS server
ARG SSL_CERT_FILE
ARG UV_CACHE_DIR=/cache
ARG TORCH_INDEX
ARG TORCH_SHA256
COPY requirements/install.py requirements/server.txt /opt/requirements/
RUN --mount=type=bind,from=build,source=/opt/installer/bin,target=/installer --mount=type=cache,target=/cache \
    ["python3", "/opt/requirements/install.py", "/installer/uv", "/opt/requirements/server.txt"]
COPY model /opt/kronos/lib/python3.13/site-packages/model
COPY server/kronos_server /opt/kronos/lib/python3.13/site-packages/kronos_server
RUN ["python", "-m", "compileall", "-q", "/opt/kronos/lib/python3.13/site-packages/model", \
     "/opt/kronos/lib/python3.13/site-packages/kronos_server"]
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["python", "-m", "kronos_server"]
ARG VERSION
ARG REVISION
ARG TORCH_BUILD=${TORCH_INDEX:+cpu}
LABEL org.opencontainers.image.title="Kronos forecast server" \
      org.opencontainers.image.description="Answers forecast requests over HTTP, on CPU." \
      org.opencontainers.image.licenses=MIT \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      dev.kronos.torch=${TORCH_BUILD:-pinned}
