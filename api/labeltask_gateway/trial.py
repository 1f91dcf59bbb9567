"""Try rules on a few texts, in a process of its own that can be killed: an expression may backtrack without end.

Parent side. Input: model type, policy, pattern, texts; output: what each text would be labelled, and why. The process
(``trial_process.py``) names the expression that ran away; the limit here only catches what escapes that.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any, Protocol

from labeltask_contract.pattern import ModelType, Pattern, encode_pattern
from labeltask_contract.spec import Policy
from labeltask_gateway.errors import TooBusy, TrialTooSlow

MAX_AT_ONCE = 2


class Trial(Protocol):
    """How rules are tried."""

    def run(self, model_type: ModelType, policy: Policy, pattern: Pattern, texts: Sequence[str]) -> list[Any]:
        """Return one object a text, as ``trial_process.explain`` makes them.

        :raises TooBusy: when as many as allowed run already.
        :raises TrialTooSlow: naming label and position where one expression took too long.
        """


class ProcessTrial:
    """The real one. Two at once, so that try-outs never take the processor from everybody else."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._places = threading.BoundedSemaphore(MAX_AT_ONCE)

    def run(self, model_type: ModelType, policy: Policy, pattern: Pattern, texts: Sequence[str]) -> list[Any]:
        """As the Protocol says."""
        if not self._places.acquire(blocking=False):
            raise TooBusy("try-outs run")
        try:
            return self._run(model_type, policy, pattern, texts)
        finally:
            self._places.release()

    def _run(self, model_type: ModelType, policy: Policy, pattern: Pattern, texts: Sequence[str]) -> list[Any]:
        order = {
            "model_type": model_type,
            "policy": policy,
            "pattern": json.loads(encode_pattern(pattern)),
            "texts": list(texts),
        }
        try:
            done = subprocess.run(
                [sys.executable, "-m", "labeltask_gateway.trial_process"],
                input=json.dumps(order).encode(),
                capture_output=True,
                timeout=self._timeout_seconds,
                check=True,
            )
        except subprocess.TimeoutExpired:
            raise TrialTooSlow(_too_slow(self._timeout_seconds)) from None
        answer = json.loads(done.stdout)
        if "too_slow" in answer:
            raise TrialTooSlow(answer["too_slow"])
        found: list[Any] = answer["content"]
        return found


def _too_slow(seconds: float) -> str:
    return f"the rules took longer than {seconds:g} s on these texts; try fewer rules or fewer texts"
