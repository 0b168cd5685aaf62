# Two images from one file: `--target operator` (no torch) and `--target server` (the forecast server on CPU).
# Dockerfile.gpu builds the server on CUDA.
# SSL_CERT_FILE as a build argument names the certificates to trust while building, on networks that intercept TLS.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS python
RUN apt-get update -q \
    && DEBIAN_FRONTEND=noninteractive apt-get install -q --yes --no-install-recommends python3 ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/*.log /var/log/apt
ENV PATH=/opt/kronos/bin:$PATH PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

FROM python AS operator
ARG SSL_CERT_FILE
COPY requirements/install.sh requirements/installer.txt requirements/operator.txt /opt/requirements/
RUN sh /opt/requirements/install.sh /opt/requirements/operator.txt
COPY operator/kronos_operator /opt/kronos/lib/python3.13/site-packages/kronos_operator
RUN python -m compileall -q /opt/kronos/lib/python3.13/site-packages/kronos_operator
USER 65532:65532
ENTRYPOINT ["python", "-m", "kronos_operator"]

# The packages of the server, torch among them, are a layer apart from our code: a change of ours moves a few kilobytes.
FROM python AS server
ARG SSL_CERT_FILE
COPY requirements/install.sh requirements/installer.txt requirements/server.txt /opt/requirements/
RUN sh /opt/requirements/install.sh /opt/requirements/server.txt
COPY model /opt/kronos/lib/python3.13/site-packages/model
COPY server/kronos_server /opt/kronos/lib/python3.13/site-packages/kronos_server
RUN python -m compileall -q /opt/kronos/lib/python3.13/site-packages/model /opt/kronos/lib/python3.13/site-packages/kronos_server
USER 65532:65532
EXPOSE 8000
ENTRYPOINT ["python", "-m", "kronos_server"]
