"""Documentation that a test keeps true."""

import re
from pathlib import Path

import pytest
import yaml

from labeltask_contract.reasons import FACTS, Reason
from labeltask_contract.spec import LabelTaskSpec

ROOT = Path(__file__).parents[2]
FAILURES = (ROOT / "docs" / "failure-reasons.md").read_text()


def test_every_failure_reason_has_its_paragraph_in_the_order_of_the_list() -> None:
    assert re.findall(r"^## (\w+)$", FAILURES, re.MULTILINE) == [str(reason) for reason in Reason]


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_names_the_workers_exit_code_and_whether_a_retry_helps(reason: Reason) -> None:
    facts = FACTS[reason]
    code = "" if facts.exit_code is None else f"Exit code {facts.exit_code}. "
    paragraph = FAILURES.split(f"## {reason}\n")[1]
    assert paragraph.lstrip().startswith(f"{code}Retry: {'yes' if facts.retriable else 'no'}.")


def local_links() -> list[tuple[Path, str]]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    links = ((page, link) for page in pages for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()))
    return [(page, link) for page, link in links if "://" not in link]


@pytest.mark.parametrize(("page", "link"), local_links(), ids=lambda value: getattr(value, "name", value))
def test_a_link_between_pages_leads_somewhere(page: Path, link: str) -> None:
    target, _, anchor = link.partition("#")
    path = (page.parent / target) if target else page
    assert path.exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
        assert anchor in [re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings]


def shape_of(page: str) -> tuple[list[str], list[int], int]:
    """What two languages of one page share: code to the letter, levels of headings, number of table rows."""
    text = (ROOT / page).read_text()
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    headings = [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)]
    return re.findall(r"```.*?```", text, re.DOTALL), headings, len(re.findall(r"^\|", prose, re.MULTILINE))


def test_the_chinese_readme_says_what_the_english_one_says() -> None:
    assert shape_of("README.zh-TW.md") == shape_of("README.md")


def test_the_readmes_yaml_is_a_task_that_the_contract_accepts() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    LabelTaskSpec.model_validate(yaml.safe_load(example)["spec"])


def test_a_test_that_the_security_page_points_to_exists() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:unit|database|cluster|labeltask_testing)/[\w/.]+)`", page)
    assert len(named) > 20
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []
