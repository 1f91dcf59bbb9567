"""Objects as somebody else may have stored them: a part of the wrong kind is read as absent. Pure.

A definition (CRD) of another version, or one that somebody loosened, lets in what the models refuse. One such object
must never keep the others from being served, so whoever reads objects of the cluster reads them through this module.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


def mapping_of(stored: object) -> Mapping[str, Any]:
    """Return ``stored`` where it is an object, else an empty one."""
    return stored if isinstance(stored, Mapping) else {}


def readable_fields(model: type[BaseModel], stored: object) -> Mapping[str, Any]:
    """Return the fields of ``stored`` as they are stored, but None for those that ``model`` can't read.

    Fields that it does not know stay: a newer version may have written them.
    """
    fields = mapping_of(stored)
    try:
        model.model_validate(fields, extra="ignore")
    except ValidationError as error:
        return _without_unreadable(fields, error)
    return fields


def read_fields(model: type[Model], stored: object) -> Model:
    """Return the readable fields of ``stored`` that ``model`` knows; every field of ``model`` may be absent."""
    fields = mapping_of(stored)
    try:
        return model.model_validate(fields, extra="ignore")
    except ValidationError as error:
        return model.model_validate(_without_unreadable(fields, error), extra="ignore")


def read_whole(model: type[Model], stored: object) -> Model | None:
    """Return ``stored`` without what ``model`` does not know; None where it is malformed."""
    try:
        return model.model_validate(mapping_of(stored), extra="ignore")
    except ValidationError:
        return None


def _without_unreadable(fields: Mapping[str, Any], error: ValidationError) -> dict[str, Any]:
    wrong = {problem["loc"][0] for problem in error.errors(include_url=False) if problem["loc"]}
    return {name: None if name in wrong else value for name, value in fields.items()}
