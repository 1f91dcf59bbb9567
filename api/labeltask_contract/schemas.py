"""Which schemas a task or dump may name: none of the database's own, and where the deployment lists some, only those.

The gateway asks for requests, the operator for every custom resource, whoever wrote it.
"""

from collections.abc import Collection

SYSTEM_SCHEMAS = frozenset({"mysql", "sys", "information_schema", "performance_schema"})


def schema_problem(name: str, allowed: Collection[str]) -> str | None:
    """Return why the schema ``name`` may not be used, or None. Without ``allowed`` any with data may."""
    if name.lower() in SYSTEM_SCHEMAS:
        return "must not be a schema of the database itself; name one with data"
    if allowed and name not in allowed:
        return f"must be a schema that this deployment allows: {', '.join(sorted(allowed))}"
    return None
