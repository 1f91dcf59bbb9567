"""task.json: the resolved task that the operator hands to the worker.

Everything that decides the outcome stands in it or is named by digest, so that a task can be repeated exactly.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labeltask_contract import strict_json
from labeltask_contract.errors import InvalidTask
from labeltask_contract.pattern import ModelType, problems_of
from labeltask_contract.spec import Identifier, Policy, PredictType, Time

SOURCE_TABLES: dict[str, str] = {
    "WH_F0045": "fbfans",
    "WH_F0001": "Ptt",
    "WH_F0116": "forum",
    "WH_N0001": "news",
    "WH_B0002": "blog",
    "WH_F0147": "Youtube",
    "WH_F0183": "Comment",
    "WH_F0157": "Instagram",
    "WH_F0501": "Tiktok",
    "WH_F0127": "Twitter",
    "WH_F0165": "fbgroup",
    "WH_F0071": "fbkol",
    "WH_F0072": "fbpm",
    "WH_F0167": "fbprivategroup",
    "WH_F0038": "plurk",
    "wh_v001": "video",
    "WH_N*": "news",
    "WH_B*": "blog",
    "WH_F*": "forum",
}
"""Source id -> result table. A final ``*`` stands for any ending; an exact entry wins, then the longest prefix."""

OTHER_TABLE = "other"
"""Where rows go whose source id nothing maps."""

LABEL_TRANSLATIONS: dict[str, str] = {
    "男性": "male",
    "女性": "female",
    "未婚": "unmarried",
    "已婚": "married",
    "孩子": "child",
    "有子女": "parenting",
    "青年": "young",
    "上班族": "employee",
    "學生": "student",
}

CONFLICT_GROUPS: dict[str, tuple[str, ...]] = {
    "GENDER": ("/male", "/female"),
    "MARRIAGE": ("/unmarried", "/married"),
}
"""Group -> panels of which an author keeps at most one."""


class LabellingRules(BaseModel):
    """The deployment's part of the outcome, with the platform's defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source_tables: dict[str, Identifier] = Field(default_factory=lambda: dict(SOURCE_TABLES))
    label_translations: dict[str, str] = Field(default_factory=lambda: dict(LABEL_TRANSLATIONS))
    conflict_groups: dict[str, tuple[str, ...]] = Field(default_factory=lambda: dict(CONFLICT_GROUPS))


class TaskDocument(BaseModel):
    """One task with every default resolved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    model_type: ModelType
    predict_type: PredictType
    start_time: Time
    end_time: Time
    policy: Policy = Policy.FIRST
    pattern_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    input_schema: Identifier
    input_table: Identifier = "ts_page_content"
    output_schema: Identifier
    countdown_seconds: Annotated[int, Field(ge=0)] = 5
    parallelism: Annotated[int, Field(ge=1)] = 1
    batch_rows: Annotated[int, Field(ge=1)] = 20_000
    slice_rows: Annotated[int, Field(ge=1)] = 100_000
    row_budget_seconds: Annotated[float, Field(gt=0)] = 1.0
    """Time that all rules together may take on one text."""
    rule_report: bool = False
    """Whether rules' hits are counted, into ``label_rule_hit``."""
    rules: LabellingRules = Field(default_factory=LabellingRules)

    def to_json(self) -> bytes:
        """Content of ``task.json``."""
        return strict_json.dumps(self.model_dump(mode="json"))

    @property
    def date_range(self) -> str:
        """As the ``state`` table shows it."""
        return f"{self.start_time} - {self.end_time}"


def load_task(content: bytes) -> TaskDocument:
    """Read ``task.json``.

    :raises InvalidTask: naming each wrong field.
    """
    try:
        return TaskDocument.model_validate(strict_json.loads(content))
    except ValidationError as error:
        raise InvalidTask(problems_of(error, ("task.json",))) from None
