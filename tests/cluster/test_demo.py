"""`make demo` itself: what a newcomer runs first must end as it says."""

import os
import subprocess
import sys

from labeltask_testing.cluster_commands import ROOT, kubectl
from labeltask_testing.installation import Installation


def test_the_demo_labels_aborts_and_shows_what_it_did(installation: Installation) -> None:
    namespaces = kubectl("get", "namespaces", "--output", "name").split()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "demo"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "tests", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        stats = next(line for line in done.stdout.splitlines() if line.startswith("│ stat "))
        assert stats.replace("│", " ").split() == ["stat", "SUCCESS", "SUCCESS", "BREAK"]
        assert "demo-only" not in done.stdout.split("4. Go on from here")[0]
    finally:
        if "namespace/labeltask-demo" not in namespaces:
            kubectl("delete", "namespace", "labeltask-demo", "--timeout", "120s", timeout_seconds=150)
