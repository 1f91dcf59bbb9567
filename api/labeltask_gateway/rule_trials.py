"""The request body of a try-out: rules and a few texts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from labeltask_contract.pattern import ModelType, Pattern
from labeltask_contract.spec import Policy, PredictType
from labeltask_gateway.body_fields import BodyFields
from labeltask_gateway.default_rules import DefaultRules
from labeltask_gateway.requests import read_pattern

KEYS = ("MODEL_TYPE", "PREDICT_TYPE", "PATTERN", "POLICY", "TEXTS")
MAX_TEXTS = 100
MAX_TEXT_CHARACTERS = 10_000


@dataclass(frozen=True)
class TrialRequest:
    """A try-out, everything checked."""

    model_type: ModelType
    policy: Policy
    pattern: Pattern
    texts: tuple[str, ...]


def parse_trial(body: Mapping[str, object], default_rules: DefaultRules) -> TrialRequest:
    """Check every key.

    :raises InvalidTask: naming every wrong key at once.
    """
    fields = BodyFields(dict(body))
    fields.check_keys(KEYS)
    model_type = fields.choice("MODEL_TYPE", ModelType)
    # Only an empty PATTERN needs it: the platform's own rules differ by it.
    predict_type = fields.choice("PREDICT_TYPE", PredictType, PredictType.CONTENT)
    policy = fields.choice("POLICY", Policy, Policy.FIRST)
    pattern = read_pattern(fields, model_type, predict_type, default_rules)
    texts = _texts(fields)
    fields.raise_if_wrong()
    return TrialRequest(ModelType(str(model_type)), Policy(str(policy)), pattern, texts)


def _texts(fields: BodyFields) -> tuple[str, ...]:
    value = fields.get("TEXTS")
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_TEXTS:
        fields.refuse("TEXTS", f"must be a list of 1 to {MAX_TEXTS} texts")
        return ()
    for index, text in enumerate(value):
        if not isinstance(text, str) or len(text) > MAX_TEXT_CHARACTERS or not _is_whole(text):
            fields.refuse("TEXTS", f"must be a text of whole characters, {MAX_TEXT_CHARACTERS:,} at most", index)
    return tuple(text for text in value if isinstance(text, str))


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
