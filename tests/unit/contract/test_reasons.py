from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import FACTS, PERMANENT_EXIT_CODES, REASON_OF_EXIT_CODE, Reason


def test_every_reason_says_how_it_shows_itself() -> None:
    assert set(FACTS) == set(Reason)


def test_exit_codes_are_unique_and_clear_of_shell_and_signals() -> None:
    codes = [facts.exit_code for facts in FACTS.values() if facts.exit_code is not None]
    assert len(codes) == len(set(codes)) == len(REASON_OF_EXIT_CODE)
    assert all(64 <= code < 126 for code in codes)


def test_exit_codes_of_reasons_that_a_retry_may_heal_do_not_fail_the_job() -> None:
    retriable = {Reason.INTERRUPTED, Reason.CONNECTION_LOST, Reason.INTERNAL}
    assert {REASON_OF_EXIT_CODE[code] for code in PERMANENT_EXIT_CODES} == set(REASON_OF_EXIT_CODE.values()) - retriable


def test_a_failure_knows_its_exit_code() -> None:
    failure = TaskFailure(Reason.TABLE_MISSING, "no table `a`.`b`")
    assert (failure.exit_code, failure.message) == (67, "no table `a`.`b`")
