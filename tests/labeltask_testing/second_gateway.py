"""A second gateway beside the installation's, of the same image and chart; the operator is not doubled."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import yaml

from labeltask_testing.cluster_commands import (
    ROOT,
    Manifest,
    apply,
    command_env,
    image_split,
    kubectl,
    run,
    wait_rollout,
)
from labeltask_testing.installation import Installation


@contextmanager
def second_gateway(installation: Installation, release: str, values: Mapping[str, Any]) -> Iterator[str]:
    """Have one with these ``gateway`` values; yield its Deployment's name, and delete it afterwards."""
    whole = {"image": image_split(installation.images.control), "gateway": dict(values)}
    rendered = run(
        *("helm", "template", release, str(ROOT / "charts" / "labeltask"), "--namespace", installation.namespace),
        *("--kube-version", "1.34.0", "--values", "-"),
        stdin=json.dumps(whole),
    )
    objects = [found for found in yaml.safe_load_all(rendered) if found and _component(found) == "gateway"]
    apply(*objects)
    name = f"{release}-labeltask-gateway"
    wait_rollout(installation.namespace, f"deployment/{name}")
    yield name
    kubectl("delete", "--filename", "-", "--ignore-not-found", stdin=yaml.safe_dump_all(objects))


@contextmanager
def port_forward(namespace: str, target: str, port: int) -> Iterator[str]:
    """Yield the URL at which ``target`` (``service/x``, ``pod/x``) answers on this machine."""
    with subprocess.Popen(
        ["kubectl", "port-forward", "--namespace", namespace, target, f":{port}"],
        stdout=subprocess.PIPE,
        text=True,
        env=command_env(),
    ) as forward:
        assert forward.stdout is not None
        line = forward.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert found is not None, line
        yield f"http://127.0.0.1:{found.group(1)}"
        forward.terminate()


def _component(found: Manifest) -> str:
    return str(found["metadata"].get("labels", {}).get("app.kubernetes.io/component"))
