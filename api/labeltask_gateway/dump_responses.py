"""Answers about dumps; ``dump_views.py`` fills them."""

from typing import Annotated, Literal

from pydantic import Field

from labeltask_contract.dump_status import DumpPhase
from labeltask_gateway.responses import Answer


class CreatedDump(Answer):
    """The settings of a new dump, as sent, and its id."""

    group: str
    task_ids: tuple[str, ...]
    input_database: str
    output_database: str
    previous_year: Annotated[int | None, Field(description="Only when sent.")] = None
    site: Annotated[str | None, Field(description="Only when sent.")] = None
    dump_id: str


class DumpTableView(Answer):
    """One dump table; its rows are kept, added and replaced ones together."""

    name: Annotated[str, Field(description="Shelf table; the dump is wh_panel_mapping_<name>_dump.")]
    rows_kept: Annotated[int, Field(description="Previous rows that stay as they were.")]
    rows_added: Annotated[int, Field(description="New rows that take no previous row's place.")]
    rows_replaced: Annotated[int, Field(description="New rows in the place of another panel of the same author.")]
    authors_undecided: Annotated[int, Field(description="Authors to whom tasks gave panels of the group in a tie.")]


class DumpView(Answer):
    """All that is known of a dump."""

    dump_id: str
    phase: DumpPhase
    group: str | None
    task_ids: tuple[str, ...]
    input_database: str | None
    output_database: str | None
    previous_year: int | None
    tables: Annotated[tuple[DumpTableView, ...], Field(description="The dump tables, once all are there.")]
    reason: Annotated[str | None, Field(description="Why the dump failed or waits, one word of a closed list.")]
    error_message: str | None
    create_time: Annotated[str | None, Field(description="UTC, without a zone.")]
    start_time: Annotated[str | None, Field(description="UTC, without a zone.")]
    completion_time: Annotated[str | None, Field(description="UTC, without a zone.")]


class CreatedDumpEnvelope(Answer):
    """Answer to dump."""

    error_code: Literal[200] = 200
    error_message: CreatedDump


class DumpEnvelope(Answer):
    """Answer to dump_status."""

    error_code: Literal[200] = 200
    error_message: DumpView
