"""dump.json: the resolved dump that the operator hands to the worker, and the map of the shelf.

Everything that decides the outcome stands in it, so that a dump can be repeated exactly.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labeltask_contract import strict_json
from labeltask_contract.dump_spec import MAX_TASKS, TaskId
from labeltask_contract.dump_status import MAX_SHELVES
from labeltask_contract.errors import InvalidTask
from labeltask_contract.pattern import problems_of
from labeltask_contract.spec import Identifier

SHELF_TABLES: dict[str, tuple[str, ...]] = {
    "fb": ("fbfans", "fbgroup", "fbkol", "fbpm", "fbprivategroup"),
    "forum": ("forum", "Dcard"),
    "bbs": ("Ptt",),
    "social": ("Instagram", "Tiktok", "Twitter", "plurk"),
    "comment": ("Comment",),
    "youtube": ("Youtube",),
    "news": ("news",),
    "Blog": ("blog",),
}
"""Shelf table -> the result tables that it is made of."""

# wh_panel_mapping_<shelf>_dump_new has 64 characters at most. A shelf `x_dump` would write where another `x` does.
ShelfName = Annotated[str, Field(max_length=38, pattern=r"^[0-9A-Za-z_$-]{1,38}$")]
Shelves = Annotated[dict[ShelfName, tuple[Identifier, ...]], Field(min_length=1, max_length=MAX_SHELVES)]


def shelf_problem(shelves: dict[str, tuple[str, ...]]) -> str:
    """Return why a map of the shelf can't be used; empty when it can.

    A server may take names that differ in case for one, so they must not.
    """
    names = [name.lower() for name in shelves]
    for name in names:
        if names.count(name) > 1:
            return f"two shelf tables are named {name}, but for upper and lower case"
        if name.endswith(("_dump", "_dump_new", "_dump_old")):
            return f"the shelf table {name} may not end in _dump, which dump tables do"
    return ""


class DumpDocument(BaseModel):
    """One dump with every default resolved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dump_id: TaskId
    group: str
    panels: Annotated[tuple[str, ...], Field(min_length=1)]
    """The panels of the group, of which an author keeps at most one."""
    task_ids: Annotated[tuple[TaskId, ...], Field(min_length=1, max_length=MAX_TASKS)]
    previous_schema: Identifier
    output_schema: Identifier
    previous_year: int | None = None
    shelves: Shelves = Field(default_factory=lambda: dict(SHELF_TABLES))

    def to_json(self) -> bytes:
        """Content of ``dump.json``."""
        return strict_json.dumps(self.model_dump(mode="json"))


def load_dump(content: bytes) -> DumpDocument:
    """Read ``dump.json``.

    :raises InvalidTask: naming each wrong field.
    """
    try:
        return DumpDocument.model_validate(strict_json.loads(content))
    except ValidationError as error:
        raise InvalidTask(problems_of(error, ("dump.json",))) from None
