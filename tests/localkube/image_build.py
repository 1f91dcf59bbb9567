"""Build one image with the engine at hand; without a registry, on a base image made from Debian packages."""

import os
from collections.abc import Mapping
from pathlib import Path

from localkube.cache import scratch_directory
from localkube.commands import Argument, run, succeeds
from localkube.debian_roots import PYTHON_ROOT, ensure_root
from localkube.engine import Engine
from localkube.image_inputs import ImageInputs
from localkube.reporting import step

PUBLIC_BASE_IMAGE = "docker.io/library/python:3.13-slim-bookworm"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_CERTIFICATE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


def ensure_base_image(engine: Engine) -> str:
    """Return the image that the Dockerfiles start from: the public Python, or Debian's Python made here."""
    if not engine.builds_its_own_images:
        return PUBLIC_BASE_IMAGE
    # Python 3.11 is what bookworm brings; the tag says of which root it was made.
    archive = ensure_root(PYTHON_ROOT)
    name = f"localhost/labeltask-python:3.11-{archive.stem.rsplit('-', 1)[-1]}"
    if not has_image(engine, name):
        with step(f"import the base image {name}", expected="5 s"):
            run("podman import base", [engine.command, "import", archive, name], environment=engine.environment)
    return name


def ensure_image(engine: Engine, inputs: ImageInputs, base_image: str) -> str:
    """Return the image's reference; it is built unless an image of exactly these inputs is in the engine's store."""
    reference = inputs.reference(base_image)
    while not has_image(engine, reference):
        with step(f"build {reference}", expected="5 s, half a minute the first time"):
            _build(engine, inputs, base_image, reference)
        built, reference = reference, inputs.reference(base_image)
        if built != reference:
            # Somebody saved a file meanwhile, so nobody knows which of the two is in the image.
            run("remove image", [engine.command, "rmi", built], environment=engine.environment)
    return reference


def _build(engine: Engine, inputs: ImageInputs, base_image: str, reference: str) -> None:
    with scratch_directory("build") as scratch:
        options = _offline_options(scratch) if engine.builds_its_own_images else []
        arguments: list[Argument] = ["--file", inputs.dockerfile, "--tag", reference]
        run(
            f"build {inputs.name.rsplit('/', 1)[-1]}",
            [engine.command, "build", *options, *arguments, f"--build-arg=BASE_IMAGE={base_image}", inputs.context],
            environment=engine.environment,
            timeout_seconds=1800,
        )


def has_image(engine: Engine, reference: str) -> bool:
    """Tell if the engine's own store holds the image."""
    return succeeds([engine.command, "image", "inspect", reference], environment=engine.environment)


def render_pip_config(environment: Mapping[str, str]) -> str:
    """Return this machine's PIP_… settings as a pip.conf, but for those that name folders the build does not have."""
    host_only = {"PIP_FIND_LINKS", "PIP_CACHE_DIR", "PIP_CONFIG_FILE", "PIP_TARGET", "PIP_PREFIX"}
    settings = {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in sorted(environment.items())
        if name.startswith("PIP_") and name not in host_only
    }
    if any(environment.get(name) for name in _CERTIFICATE_VARIABLES):
        settings["cert"] = str(CERTIFICATES)
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in settings.items())]) + "\n"


def _offline_options(scratch: Path) -> list[str]:
    """Let RUN steps reach the package registries as this machine does; nothing of it is left in the image.

    Chroot isolation needs no network of its own and no rights that a machine without systemd lacks.
    """
    pip_config = scratch / "pip.conf"
    pip_config.write_text(render_pip_config(os.environ))
    options = ["--isolation=chroot", "--layers", "--volume", f"{pip_config}:/etc/pip.conf:ro"]
    certificates = next((Path(os.environ[name]) for name in _CERTIFICATE_VARIABLES if os.environ.get(name)), None)
    if certificates and certificates.exists():
        options += ["--volume", f"{certificates}:{CERTIFICATES}:ro"]
    return options
