"""What a definition that somebody loosened lets in: parts of a LabelTask or LabelDump that are of the wrong kind."""

from typing import Any

MALFORMED_SPECS: dict[str, Any] = {
    "absent": ...,
    "a-text": "text",
    "a-list": [],
    "empty": {},
    "number-for-schema": {"output": {"schema": 7}},
    "text-for-parallelism": {"parallelism": "many"},
    "object-for-queue": {"queue": {}},
    "text-for-output": {"output": "results"},
}
"""Whole specs where they are no object; else what makes a good one malformed. ``...`` stands for no spec at all."""

GARBAGE_STATUSES: dict[str, Any] = {
    "a-text": "text",
    "a-list": ["text"],
    "number-for-stat": {"stat": 5, "phase": 5},
    "object-for-stat": {"stat": {}, "phase": {}},
    "text-for-attempts": {"attempts": "many"},
    "text-for-conditions": {"conditions": "none"},
    "conditions-without-type": {"conditions": [{"status": "True"}, "text"]},
    "text-for-progress": {"progress": "half", "pattern": [], "resultTables": "Ptt", "warnings": 3, "tables": "fb"},
    "list-for-job-name": {"jobName": ["lt"], "startTime": 3, "completionTime": {}},
}


def with_spec(manifest: dict[str, Any], malformed: Any) -> dict[str, Any]:
    """Return the manifest with that spec, or with those fields of it, malformed."""
    if malformed is ...:
        return {key: value for key, value in manifest.items() if key != "spec"}
    whole = not isinstance(malformed, dict) or not malformed
    return {**manifest, "spec": malformed if whole else {**manifest["spec"], **malformed}}
