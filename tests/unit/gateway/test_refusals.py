"""Every wrong request is a 4xx that says where and what to write instead, and creates nothing."""

import asyncio
import gzip
import json
from typing import Any

import httpx
import pytest

from labeltask_gateway.body import LARGE_BYTES
from labeltask_testing.gateway_fakes import CANARY, Gateway, create_body, site_config

KEYWORD = [["a", "partially"]]

WRONG_FIELDS: dict[str, tuple[dict[str, object], str, str]] = {
    "an unknown model": ({"MODEL_TYPE": "bert"}, "/MODEL_TYPE", "must be one of keyword_model, rule_model"),
    "a model that is no word": ({"MODEL_TYPE": 7}, "/MODEL_TYPE", "must be one of keyword_model, rule_model"),
    "no model": ({"MODEL_TYPE": ...}, "/MODEL_TYPE", "is missing; write one of keyword_model, rule_model"),
    "an unknown text": (
        {"PREDICT_TYPE": "author"},
        "/PREDICT_TYPE",
        "must be one of author_name, content, s_area_id, title",
    ),
    "a time with a zone": (
        {"START_TIME": "2020-01-01T00:00:00+08:00"},
        "/START_TIME",
        "not a date: write YYYY-MM-DD or YYYY-MM-DD HH:MM:SS, without a zone (stored times carry none)",
    ),
    "a time in UTC": ({"END_TIME": "2021-01-01T00:00:00Z"}, "/END_TIME", "without a zone"),
    "a time with fractions": ({"END_TIME": "2021-01-01T00:00:00.5"}, "/END_TIME", "not a date"),
    "digits without dashes": ({"END_TIME": "20210101"}, "/END_TIME", "not a date"),
    "a time that is a number": ({"END_TIME": 20210101}, "/END_TIME", "must be a string: write YYYY-MM-DD"),
    "a day that does not exist": ({"START_TIME": "2020-02-30"}, "/START_TIME", "no such date"),
    "no start": ({"START_TIME": ...}, "/START_TIME", "is missing; write YYYY-MM-DD"),
    "an end before the start": ({"END_TIME": "2019-01-01"}, "/END_TIME", "must be after START_TIME"),
    "an end at the start": ({"END_TIME": "2020-01-01 00:00:00"}, "/END_TIME", "must be after START_TIME"),
    "a schema with a dot": ({"INPUT_SCHEMA": "wh.x"}, "/INPUT_SCHEMA", "write 1 to 64 of the characters"),
    "a schema with a new line": ({"INPUT_SCHEMA": "wh\n"}, "/INPUT_SCHEMA", "write 1 to 64 of the characters"),
    "a schema too long": ({"OUTPUT_SCHEMA": "a" * 65}, "/OUTPUT_SCHEMA", "write 1 to 64 of the characters"),
    "no schema": ({"OUTPUT_SCHEMA": ...}, "/OUTPUT_SCHEMA", "is missing; write 1 to 64"),
    "the database's own schema": ({"OUTPUT_SCHEMA": "MySQL"}, "/OUTPUT_SCHEMA", "must not be a schema of the database"),
    "the database's views": ({"INPUT_SCHEMA": "information_schema"}, "/INPUT_SCHEMA", "must not be a schema"),
    "a table with a back-tick": ({"INPUT_TABLE": "a`b"}, "/INPUT_TABLE", "write 1 to 64 of the characters"),
    "a table with a percent sign": ({"INPUT_TABLE": "a%sb"}, "/INPUT_TABLE", "write 1 to 64 of the characters"),
    "a schema with a back-tick": ({"OUTPUT_SCHEMA": "a`; DROP"}, "/OUTPUT_SCHEMA", "write 1 to 64 of the characters"),
    "a schema with a NUL": ({"INPUT_SCHEMA": "a\x00"}, "/INPUT_SCHEMA", "write 1 to 64 of the characters"),
    "a schema in full-width letters": ({"INPUT_SCHEMA": "ｗｈ"}, "/INPUT_SCHEMA", "write 1 to 64 of the characters"),
    "the database's figures": ({"INPUT_SCHEMA": "Performance_Schema"}, "/INPUT_SCHEMA", "must not be a schema"),
    "a countdown in words": ({"COUNTDOWN": "5"}, "/COUNTDOWN", "must be a whole number from 0 to 31536000"),
    "a countdown that is true": ({"COUNTDOWN": True}, "/COUNTDOWN", "must be a whole number"),
    "a countdown with a fraction": ({"COUNTDOWN": 1.5}, "/COUNTDOWN", "must be a whole number"),
    "a countdown before now": ({"COUNTDOWN": -1}, "/COUNTDOWN", "must be a whole number"),
    "a queue with a space": ({"QUEUE": "queue 1"}, "/QUEUE", "must be a queue's name"),
    "a queue that is a number": ({"QUEUE": 1}, "/QUEUE", "must be a queue's name"),
    "an unknown policy": ({"POLICY": "best"}, "/POLICY", "must be one of first, most, all"),
    "no worker": ({"PARALLELISM": 0}, "/PARALLELISM", "must be a whole number from 1 to 64"),
    "a word for true": ({"RULE_REPORT": "true"}, "/RULE_REPORT", "must be true or false"),
    "a deadline of nothing": ({"DEADLINE_SECONDS": 0}, "/DEADLINE_SECONDS", "must be a whole number from 1 to"),
    "an unknown key": (
        {"PREDICT": "x"},
        "/PREDICT",
        "is no known key; known are MODEL_TYPE, PREDICT_TYPE, START_TIME, END_TIME, PATTERN",
    ),
    "an unknown site": ({"SITE_CONFIG": ..., "SITE": "x"}, "/SITE", "must be a connection that this deployment names"),
    "a site that is a list": (
        {"SITE_CONFIG": ..., "SITE": ["x"]},
        "/SITE",
        "must be a connection that this deployment",
    ),
    "two connections": ({"SITE": "x"}, "/SITE", "must not stand beside SITE_CONFIG"),
    "no connection": ({"SITE_CONFIG": ...}, "/SITE_CONFIG", "is missing; write an object with host, port, user"),
    "a connection in words": ({"SITE_CONFIG": CANARY}, "/SITE_CONFIG", "must be an object with host, port, user"),
    "no port": ({"SITE_CONFIG": site_config(port=...)}, "/SITE_CONFIG/port", "is missing"),
    "a port with a letter": ({"SITE_CONFIG": site_config(port="33o6")}, "/SITE_CONFIG/port", "must be a number from 1"),
    "a port that is true": ({"SITE_CONFIG": site_config(port=True)}, "/SITE_CONFIG/port", "must be a number from 1"),
    "a socket": ({"SITE_CONFIG": site_config(unix_socket="/x")}, "/SITE_CONFIG/unix_socket", "is no known key"),
    "a certificate's path": (
        {"SITE_CONFIG": site_config(tls={"ca": "/etc/ca.pem"})},
        "/SITE_CONFIG/tls/ca",
        "must be certificates in PEM",
    ),
    "the machine itself": ({"SITE_CONFIG": site_config(host="127.1")}, "/SITE_CONFIG/host", "must not be a loopback"),
    "no rules": ({"PATTERN": {}}, "/PATTERN", "is empty, and this deployment has no default rules for keyword_model"),
    "rules left out": ({"PATTERN": ...}, "/PATTERN", "is empty, and this deployment has no default rules"),
    "rules that are a list": ({"PATTERN": [1]}, "/PATTERN", "must be an object that maps each label"),
    "an empty keyword": (
        {"PATTERN": {"A": [["x", "partially"], ["", "partially"]]}},
        "/PATTERN/A/1",
        'label "A", position 1: the keyword is empty',
    ),
    "a match type that is none": (
        {"PATTERN": {"A": [["x", "partialy"]]}},
        "/PATTERN/A/0/1",
        'label "A", position 0: no such match type; write partially, absolutely',
    ),
    "a keyword without its place": ({"PATTERN": {"A": ["x"]}}, "/PATTERN/A/0", 'label "A", position 0: must be ["key'),
    "a label without rules": ({"PATTERN": {"A": []}}, "/PATTERN/A", 'label "A": a keyword_model needs keywords'),
    "an empty label": ({"PATTERN": {"": KEYWORD}}, "/PATTERN/", "the label is empty"),
    "a label with a slash": ({"PATTERN": {"a/b ": KEYWORD}}, "/PATTERN/a~1b ", "begins or ends with white space"),
    "a label too long": ({"PATTERN": {"a" * 200: KEYWORD}}, "/PATTERN/" + "a" * 200, "199 are allowed"),
    "half a character as keyword": (
        {"PATTERN": {"A": [["\ud83d", "start"]]}},
        "/PATTERN/A/0",
        'label "A", position 0: the keyword holds half of a surrogate pair',
    ),
    "half a character as label": (
        {"PATTERN": {"\ud83d": KEYWORD}},
        "/PATTERN/\\ud83d",
        'label "\\ud83d": the label holds half of a surrogate pair',
    ),
    "half a character as key": ({"\ud83d": 1}, "/\\ud83d", "is no known key"),
    "half a character as user": ({"SITE_CONFIG": site_config(user="\ud83d")}, "/SITE_CONFIG/user", "must be 1 to 128"),
    "an expression that does not compile": (
        {"MODEL_TYPE": "rule_model", "PATTERN": {"A": ["a", "("]}},
        "/PATTERN/A/1",
        'label "A", position 1: the expression does not compile: missing )',
    ),
    "an expression with a late flag": (
        {"MODEL_TYPE": "rule_model", "PATTERN": {"A": ["x(?i)"]}},
        "/PATTERN/A/0",
        "the expression does not compile: global flags not at the start",
    ),
    "keywords for a rule model": (
        {"MODEL_TYPE": "rule_model", "PATTERN": {"男性": KEYWORD}},
        "/PATTERN/男性/0",
        'label "男性", position 0: must be one regular expression',
    ),
}


@pytest.mark.parametrize("case", WRONG_FIELDS)
def test_a_wrong_field_is_named_and_nothing_is_created(case: str) -> None:
    changes, pointer, message = WRONG_FIELDS[case]
    gateway = Gateway()
    # json.dumps writes lone surrogates as escapes, as callers do.
    answer = gateway.post_text("/api/tasks/", json.dumps(create_body(**changes)))
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (400, 400)
    assert [error["pointer"] for error in body["errors"]] == [pointer]
    assert message in body["errors"][0]["message"]
    assert body["error_message"] == f"{pointer}: {body['errors'][0]['message']}"
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert gateway.cluster.calls == []
    assert CANARY not in answer.text


def test_all_wrong_fields_are_named_at_once() -> None:
    gateway = Gateway()
    body = create_body(
        MODEL_TYPE="x",
        START_TIME=1,
        COUNTDOWN=True,
        QUEUE="?",
        X=1,
        INPUT_SCHEMA="sys",
        SITE_CONFIG=site_config(port=0, host=""),
    )
    answer = gateway.post("/api/tasks/", body)
    assert sorted(error["pointer"] for error in answer.json()["errors"]) == [
        "/COUNTDOWN",
        "/INPUT_SCHEMA",
        "/MODEL_TYPE",
        "/QUEUE",
        "/SITE_CONFIG/host",
        "/SITE_CONFIG/port",
        "/START_TIME",
        "/X",
    ]


def test_of_very_many_wrong_rules_the_first_are_shown_and_the_rest_counted() -> None:
    gateway = Gateway()
    answer = gateway.post("/api/tasks/", create_body(PATTERN={"A": [["", "start"]] * 1000})).json()
    assert len(answer["errors"]) == 50
    assert answer["error_message"].endswith("; and 950 more")


WRONG_BODIES: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "not JSON"),
    "half an object": ('{"MODEL_TYPE": ', "not JSON: Expecting value at line 1, column 16"),
    "a list": ("[]", "the body must be one JSON object"),
    "a key twice": ('{"QUEUE": "a", "QUEUE": "b"}', '/QUEUE: the key "QUEUE" is given twice'),
    "a label twice": ('{"PATTERN": {"A": [], "A": []}}', '/PATTERN/A: the key "A" is given twice'),
    "a password twice": (
        f'{{"SITE_CONFIG": {{"password": "{CANARY}", "password": "{CANARY}"}}}}',
        '/SITE_CONFIG/password: the key "password" is given twice',
    ),
    "not a number": ('{"COUNTDOWN": NaN}', "NaN and Infinity are none"),
    "a very long number": ('{"COUNTDOWN": ' + "9" * 5000 + "}", "a number is out of range"),
    "a deep nest": ('{"PATTERN": ' + "[" * 40 + "]" * 40 + "}", "nested deeper than 32 levels"),
    "a nest without end": ("[" * 100_000, "nested deeper than 32 levels"),
    "two million lists": ('{"PATTERN": [' + "[]," * 2_000_000 + "[]]}", "more than 1,000,000 commas and brackets"),
    "UTF-16": ('{"A": 1}'.encode("utf-16"), "not UTF-8"),
    "Big5": ('{"PATTERN": {"男": []}}'.encode("big5"), "not UTF-8"),
}


@pytest.mark.parametrize("case", WRONG_BODIES)
@pytest.mark.parametrize("path", ["/api/tasks/", "/api/tasks/abort/"])
def test_a_body_that_is_no_json_object_is_refused(case: str, path: str) -> None:
    content, message = WRONG_BODIES[case]
    gateway = Gateway()
    answer = gateway.post_text(path, content)
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)
    assert message in answer.json()["error_message"]
    assert gateway.cluster.calls == []
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    "header", ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=big5"]
)
def test_a_body_that_says_it_is_no_json_is_415(header: str) -> None:
    gateway = Gateway()
    answer = gateway.request("POST", "/api/tasks/", content=json.dumps(create_body()), headers={"Content-Type": header})
    assert (answer.status_code, answer.json()["error_code"]) == (415, 415)
    assert "Content-Type: application/json" in answer.json()["error_message"]
    assert gateway.cluster.calls == []


def test_a_compressed_body_is_415_and_says_so() -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    packed = gzip.compress(json.dumps(create_body()).encode())
    answer = Gateway().request("POST", "/api/tasks/", content=packed, headers=headers)
    assert (answer.status_code, "not compressed" in answer.json()["error_message"]) == (415, True)


def test_a_content_type_with_its_charset_is_json() -> None:
    gateway = Gateway()
    answer = gateway.request(
        "POST",
        "/api/tasks/",
        content=json.dumps(create_body()),
        headers={"Content-Type": 'Application/JSON; charset="UTF-8"'},
    )
    assert answer.status_code == 200


def test_a_body_above_the_limit_is_413_whether_it_announces_its_size_or_not() -> None:
    gateway = Gateway(max_body_bytes=2000)

    async def chunks() -> Any:
        for _ in range(30):
            yield b" " * 100

    headers = {"Content-Type": "application/json"}
    for content in (b" " * 2001, chunks()):
        answer = gateway.request("POST", "/api/tasks/", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (413, 413)
        assert "larger than 2,000 bytes" in answer.json()["error_message"]
    assert gateway.cluster.calls == []


def test_a_caller_who_stops_sending_is_408() -> None:
    gateway = Gateway(request_timeout_seconds=0.05)

    async def chunks() -> Any:
        yield b"{"
        await asyncio.Event().wait()

    headers = {"Content-Type": "application/json"}
    answer = gateway.request("POST", "/api/tasks/", content=chunks(), headers=headers)
    assert (answer.status_code, answer.json()["error_code"]) == (408, 408)


def test_a_host_outside_the_list_is_refused_and_one_inside_is_not() -> None:
    gateway = Gateway(allowed_hosts=("10.0.0.0/8", "DB.example."))
    for host, status in {"db.example": 200, "10.1.2.3": 200, "11.1.2.3": 400, "other.example": 400}.items():
        body = create_body(SITE_CONFIG=site_config(host=host))
        assert gateway.post("/api/tasks/", body).status_code == status, host


def test_a_port_outside_the_list_is_refused_and_one_inside_is_not() -> None:
    gateway = Gateway(allowed_ports=(4000, 3306))
    assert gateway.post("/api/tasks/", create_body(SITE_CONFIG=site_config(port="4000"))).status_code == 200
    answer = gateway.post("/api/tasks/", create_body(SITE_CONFIG=site_config(port=22)))
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        [{"pointer": "/SITE_CONFIG/port", "message": "must be a port that this deployment allows: 3306, 4000"}],
    )


def test_an_account_without_the_encryption_that_the_deployment_asks_for_is_refused() -> None:
    gateway = Gateway(require_tls="required")
    answer = gateway.post("/api/tasks/", create_body(SITE_CONFIG=site_config()))
    message = "must have at least the mode required, which this deployment asks of every connection"
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        [{"pointer": "/SITE_CONFIG/tls", "message": message}],
    )
    encrypted = create_body(SITE_CONFIG=site_config(tls={"mode": "required"}))
    assert gateway.post("/api/tasks/", encrypted).status_code == 200


def test_schemas_are_those_that_the_deployment_allows() -> None:
    gateway = Gateway(allowed_schemas=("wh_tiktok", "audience_result"))
    assert gateway.post("/api/tasks/", create_body()).status_code == 200
    answer = gateway.post("/api/tasks/", create_body(INPUT_SCHEMA="payroll", OUTPUT_SCHEMA="WH_TIKTOK"))
    message = "must be a schema that this deployment allows: audience_result, wh_tiktok"
    assert answer.json()["errors"] == [
        {"pointer": "/INPUT_SCHEMA", "message": message},
        {"pointer": "/OUTPUT_SCHEMA", "message": message},
    ]


def test_more_rules_than_any_task_may_have_are_413_and_more_labels_400() -> None:
    gateway = Gateway()
    many = gateway.post("/api/tasks/", create_body(PATTERN={"A": [["a", "start"]] * 200_001}))
    assert (many.status_code, many.json()["error_message"]) == (
        413,
        "/PATTERN: 200,001 rules, 200,000 are allowed; split them over several tasks",
    )
    labels = gateway.post("/api/tasks/", create_body(PATTERN={str(number): KEYWORD for number in range(201)}))
    assert (labels.status_code, labels.json()["error_message"]) == (400, "/PATTERN: has 201 labels, 200 are allowed")


def test_no_more_than_two_large_bodies_are_at_work_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    # The third gives up long before the first two would be taken for too slow.
    monkeypatch.setattr("labeltask_gateway.body.TURN_SHARE", 0.005)
    gateway = Gateway(request_timeout_seconds=60)
    headers = {"Content-Type": "application/json"}

    async def send() -> list[httpx.Response]:
        two_at_work, third_answered = asyncio.Semaphore(0), asyncio.Event()

        async def held() -> Any:
            yield b" " * (LARGE_BYTES + 1)
            two_at_work.release()
            await third_answered.wait()
            yield b"{}"

        transport = httpx.ASGITransport(gateway.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            two = [asyncio.create_task(client.post("/tasks", content=held(), headers=headers)) for _ in range(2)]
            for _ in two:
                await two_at_work.acquire()
            third = await client.post("/tasks", content=b" " * (LARGE_BYTES + 1), headers=headers)
            third_answered.set()
            return [third, *await asyncio.gather(*two)]

    third, *two = asyncio.run(send())
    assert (third.status_code, third.headers["Retry-After"]) == (429, "1")
    assert third.json()["error_message"] == "too many requests with large bodies at this moment; try again in a second"
    assert [answer.status_code for answer in two] == [400, 400]
    # The places are free again.
    assert gateway.post("/tasks", create_body(PATTERN={"A": [["x" * 1_000, "start"]] * 300})).status_code == 200
