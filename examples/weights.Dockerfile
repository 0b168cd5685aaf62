# Packs a checkpoint as an image, to be mounted as an OCI volume: spec.model.source.image. Build it from the root.
# The server runs as a numeric user without rights of its own: the files must be readable to all.
ARG CHECKPOINT=examples/demo-checkpoint
FROM scratch
ARG CHECKPOINT
COPY --chmod=444 ${CHECKPOINT}/config.json ${CHECKPOINT}/model.safetensors /
COPY --chmod=444 ${CHECKPOINT}/tokenizer/config.json ${CHECKPOINT}/tokenizer/model.safetensors /tokenizer/
