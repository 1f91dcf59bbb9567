"""The node image of the way without Docker, built once for each version of what goes into it.

Debian root → kind's files and Kubernetes' programs → control plane images in containerd's store → `podman import`.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localkube.cache import content_key, file_contents, scratch_directory
from localkube.commands import Argument, log_path, run, succeeds
from localkube.control_plane_images import control_plane_images, required_image_names
from localkube.debian_roots import NODE_ROOT, ensure_root, pack, unpack
from localkube.engine import Engine
from localkube.go_modules import COREDNS, CRI_TOOLS, ETCD, KIND, KUBERNETES
from localkube.go_programs import Programs, ensure_node_programs
from localkube.image_archive import write_archive
from localkube.machine import image_architecture
from localkube.node_root import NODE_FILES, assemble_node_root
from localkube.reporting import ComponentError, step

# Debian's containerd serves `ctr` here without its Kubernetes part; everything is inside the root.
CONTAINERD_SETTINGS = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
SOCKET = "run/containerd/containerd.sock"


def own_node_image_name() -> str:
    """Return the image's name; its tag changes with the Debian packages, the programs and the code that joins them."""
    package = Path(__file__).parent
    modules = ("node_image", "node_root", "control_plane_images", "image_archive")
    files = file_contents([NODE_FILES, *(package / f"{module}.py" for module in modules)], package)
    keys = [(module.folder, module.key.encode()) for module in (KUBERNETES, KIND, ETCD, COREDNS, CRI_TOOLS)]
    key = content_key([*files, *keys, ("root", NODE_ROOT.archive.name.encode())])
    return f"localhost/labeltask-node:{KUBERNETES.version}-{key}"


def ensure_own_node_image(engine: Engine) -> str:
    """Return the name of the node image in the engine's store, built if it is not there."""
    name = own_node_image_name()
    if not succeeds([engine.command, "image", "inspect", name], environment=engine.environment):
        programs = ensure_node_programs()
        archive = ensure_root(NODE_ROOT)
        with scratch_directory("node-image") as scratch:
            try:
                _build(engine, name, programs, archive, scratch)
            finally:
                shutil.rmtree(scratch / "root", ignore_errors=True)
    return name


def _build(engine: Engine, name: str, programs: Programs, debian: Path, scratch: Path) -> None:
    root, images = scratch / "root", scratch / "images.tar"
    with step("assemble the node root", expected="10 s"):
        unpack(debian, root)
        names = required_image_names(programs["kubeadm"])
        assemble_node_root(root, programs, names["pause"])
    with step("put the control plane's images into the node", expected="10 s"):
        pod_network = NODE_FILES / "pod-network.sh"
        write_archive(images, control_plane_images(root, programs, names, pod_network), image_architecture())
        _preload(root, images)
    with step(f"import the node image {name}", expected="20 s"):
        node_archive = scratch / "node.tar"
        pack(root, node_archive)
        changes = (
            'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
            "ENV container=docker",
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "STOPSIGNAL SIGRTMIN+3",
        )
        options = [option for change in changes for option in ("--change", change)]
        run("podman import", [engine.command, "import", *options, node_archive, name], environment=engine.environment)


def _preload(root: Path, images: Path) -> None:
    """Import the archive into the root's containerd store, by the root's own containerd: one version, one format."""
    inside = root / "images.tar"
    images.rename(inside)
    with _containerd(root):
        # Unpacking is left to the node: its snapshots have to be made on its own disk.
        ctr: list[Argument] = ["chroot", root, "ctr", "--namespace", "k8s.io"]
        run("node image preload", [*ctr, "images", "import", "--no-unpack", "--all-platforms", "/images.tar"])
    inside.unlink()


@contextmanager
def _containerd(root: Path) -> Iterator[None]:
    settings = root / "run/preload.toml"
    settings.write_text(CONTAINERD_SETTINGS)
    log = log_path("node containerd")
    with log.open("w") as output:
        server = subprocess.Popen(
            ["chroot", root, "containerd", "--config", "/run/preload.toml"], stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_it_answers(root, server, log)
            yield
        finally:
            server.terminate()
            server.wait(timeout=30)
    settings.unlink()
    shutil.rmtree(root / "run/containerd", ignore_errors=True)


def _wait_until_it_answers(root: Path, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while not succeeds(["chroot", root, "ctr", "version"]):
        if server.poll() is not None or time.monotonic() > deadline:
            raise ComponentError("node containerd", f"does not answer on {SOCKET}", log.read_text(errors="replace"))
        time.sleep(0.2)
