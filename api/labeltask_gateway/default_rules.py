"""The platform's rules for requests with an empty PATTERN, from one file of the deployment.

Checked at the start like a caller's rules, so that a wrong file stops the gateway and no task.
"""

from pathlib import Path

from labeltask_contract import strict_json
from labeltask_contract.errors import InvalidTask, Problem, pointer
from labeltask_contract.pattern import ModelType, Pattern, parse_rest_pattern
from labeltask_contract.rule_checks import find_problems
from labeltask_contract.spec import PredictType

DefaultRules = dict[tuple[ModelType, PredictType], Pattern]


def load_default_rules(path: Path | None) -> DefaultRules:
    """Read the file; without one there are no default rules.

    :raises InvalidTask: naming each wrong entry of the file.
    """
    return {} if path is None else parse_default_rules(path.read_bytes())


def parse_default_rules(content: bytes) -> DefaultRules:
    """Read ``{model type: {predict type: PATTERN}}``.

    :raises InvalidTask: naming each wrong entry.
    """
    value = strict_json.loads(content)
    if not isinstance(value, dict):
        raise InvalidTask([Problem("", "default rules must be {model type: {predict type: PATTERN}}")])
    rules: DefaultRules = {}
    problems: list[Problem] = []
    for model_name, of_model in value.items():
        if model_name not in list(ModelType) or not isinstance(of_model, dict):
            problems.append(Problem(pointer(model_name), f"must be one of {', '.join(ModelType)}, holding an object"))
            continue
        for predict_name, rest in of_model.items():
            if predict_name not in list(PredictType):
                problems.append(Problem(pointer(model_name, predict_name), f"must be one of {', '.join(PredictType)}"))
                continue
            model = ModelType(model_name)
            pattern = parse_rest_pattern(rest, model, field=f"{model_name}/{predict_name}")
            problems += [Problem(pointer(model_name, predict_name), p.message) for p in find_problems(model, pattern)]
            rules[model, PredictType(predict_name)] = pattern
    if problems:
        raise InvalidTask(problems)
    return rules
