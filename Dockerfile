# Gateway and operator, one image with two commands: `python -m labeltask_gateway` and `python -m labeltask_operator`.
# Build: docker build -t labeltask .
# BASE_IMAGE is any Debian bookworm with Python 3.11 or later; all stages share it, so the environment built in one
# works in another.
ARG BASE_IMAGE=docker.io/library/python:3.13-slim-bookworm

# Locked requirements, every file checked by hash. The environment has no pip of its own, so the image has none to run.
FROM ${BASE_IMAGE} AS requirements
COPY requirements/control.txt /build/requirements.txt
RUN python3 -m venv --without-pip /opt/labeltask \
 && python3 -m pip --python /opt/labeltask/bin/python install --no-cache-dir --require-hashes -r /build/requirements.txt

# The project's own code, installed from its wheel at the path where it will run; no network after the first step.
FROM ${BASE_IMAGE} AS code
COPY requirements/build.txt /build/requirements.txt
RUN python3 -m venv --without-pip /build/tools \
 && python3 -m pip --python /build/tools/bin/python install --no-cache-dir --require-hashes -r /build/requirements.txt
WORKDIR /build/source
COPY pyproject.toml README.md LICENSE ./
COPY api/ api/
COPY operator/ operator/
COPY worker_image/ worker_image/
RUN python3 -m venv --without-pip /opt/labeltask \
 && /build/tools/bin/python -m hatchling build --target wheel --directory /build/wheel \
 && python3 -m pip --python /opt/labeltask/bin/python install \
      --no-cache-dir --no-index --no-deps /build/wheel/*.whl

FROM requirements
# A layer of its own: a change of code ships a few hundred kilobytes.
COPY --from=code /opt/labeltask/lib/ /opt/labeltask/lib/
# PYTHONSAFEPATH: the working folder must not come before the standard library.
ENV PATH=/opt/labeltask/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /
CMD ["python", "-m", "labeltask_gateway"]
