"""A right of the operator withheld: a point of failure of one's choice, made by the API server itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from labeltask_testing.cluster_commands import CommandError, kubectl, kubectl_json
from labeltask_testing.installation import Installation, wait_until

ROLE = "labeltask-operator"


@contextmanager
def without_right(installation: Installation, verb: str, *resources: str) -> Iterator[None]:
    """The operator may not do this to these resources meanwhile; ``resources`` as the Role writes them."""
    namespace = installation.namespace
    rules = kubectl_json("get", "role", ROLE, "--namespace", namespace)["rules"]
    less = []
    for rule in rules:
        named = [resource for resource in rule["resources"] if resource in resources]
        others = [resource for resource in rule["resources"] if resource not in resources]
        verbs = [known for known in rule["verbs"] if known != verb]
        less += [rule | {"resources": others}] if others else []
        less += [rule | {"resources": named, "verbs": verbs}] if named and verbs else []
    _set_rules(installation, less)
    _wait_answer(installation, verb, resources[0], "no")
    try:
        yield
    finally:
        _set_rules(installation, rules)
        _wait_answer(installation, verb, resources[0], "yes")


def _set_rules(installation: Installation, rules: object) -> None:
    patch = json.dumps([{"op": "replace", "path": "/rules", "value": rules}])
    kubectl("patch", "role", ROLE, "--namespace", installation.namespace, "--type", "json", "--patch", patch)


def _wait_answer(installation: Installation, verb: str, resource: str, wanted: str) -> None:
    name, _, part = resource.partition("/")
    account = f"system:serviceaccount:{installation.namespace}:{ROLE}"
    # kubectl asks for the group of a custom resource; a core resource has none.
    full = f"{name}.labelapi.io" if name.startswith("label") else name
    question = ("auth", "can-i", verb, full, *((f"--subresource={part}",) if part else ()))

    def answer() -> str:
        try:
            return kubectl(*question, f"--as={account}", "--namespace", installation.namespace).strip()
        except CommandError:  # kubectl ends with status 1 for "no"
            return "no"

    wait_until(answer, lambda said: said == wanted, seconds=30, what=f"the answer {wanted} to {verb} {resource}")
