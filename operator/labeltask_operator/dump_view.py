"""One LabelDump, as the operator sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from labeltask_contract.dump_spec import LabelDumpSpec
from labeltask_contract.dump_status import DumpPhase, LabelDumpStatus
from labeltask_contract.names import dump_id_of
from labeltask_contract.pattern import problems_of
from labeltask_contract.stored_objects import mapping_of, readable_fields
from labeltask_operator.views import ObjectView, slim_metadata


@dataclass(frozen=True)
class DumpView(ObjectView):
    """One LabelDump."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "DumpView":
        """Take over what is needed from a LabelDump's manifest."""
        status = readable_fields(LabelDumpStatus, body.get("status"))
        return cls({"metadata": slim_metadata(body), "spec": mapping_of(body.get("spec")), "status": status})

    @property
    def task_id(self) -> str:
        """The dump's id."""
        return dump_id_of(self.uid)

    @property
    def recorded_phase(self) -> DumpPhase | None:
        """``status.phase``."""
        found = self.status.get("phase")
        return DumpPhase(found) if found in set(DumpPhase) else None

    @property
    def recorded_final(self) -> bool:
        """Whether the status says that nothing changes any more."""
        return self.recorded_phase in (DumpPhase.SUCCEEDED, DumpPhase.FAILED)

    @property
    def spec(self) -> LabelDumpSpec | None:
        """The spec; None where it is malformed (``spec_problems`` says how)."""
        return self._parsed[0]

    @property
    def spec_problems(self) -> str:
        """What is wrong with a malformed spec."""
        return self._parsed[1]

    @cached_property
    def _parsed(self) -> tuple[LabelDumpSpec | None, str]:
        try:
            return LabelDumpSpec.model_validate(self.body["spec"]), ""
        except ValidationError as error:
            return None, "; ".join(str(problem) for problem in problems_of(error, ("spec",)))
