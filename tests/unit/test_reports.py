"""Reports survive report.json whole; damaged ones are made anew."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chalicelib.names import ReleaseId
from chalicelib.reports import Check, Report, ServingPlan, Severity, parse_report, refusal_sentence

PLAN = ServingPlan(
    "huggingface", "image", "text-classification", "realtime", "ml.m5.large", 1, None,
    env=(("A", "1"), ("B", "2")), is_idle_after_wished=True, price_per_hour_usd=0.1, why=("because",),
)  # fmt: skip
CHECKS = (
    Check("not-gzip", Severity.ERROR, "it is no gzip", "model.tar.gz", "pack it"),
    Check("pickle", Severity.WARNING, "pickles can run code"),
    Check("deep", Severity.ERROR, "one folder too deep"),
)
ACCEPTED = Report(
    "cat", ReleaseId("0123456789ab"), datetime(2026, 1, 5, tzinfo=UTC), CHECKS[1:2], 10, "ab", PLAN, ReleaseId("f" * 12)
)
REFUSED = replace(ACCEPTED, checks=CHECKS, plan=None, sha256=None, same_as=None)


@pytest.mark.parametrize("report", [ACCEPTED, REFUSED])
def test_a_report_is_read_back_whole(report: Report) -> None:
    """Every field, of the same type."""
    assert parse_report(report.to_json()) == report


def test_the_verdict_stands_in_the_file_in_words() -> None:
    """For who reads it with `aws s3 cp`."""
    assert json.loads(ACCEPTED.to_json())["verdict"] == "accepted"
    assert json.loads(REFUSED.to_json())["verdict"] == "refused"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"format": 1}', ACCEPTED.to_json().replace('"format": 1', '"format": 0'), b"\xff"],
)
def test_a_damaged_or_foreign_report_is_none(text: str | bytes) -> None:
    """So the door makes it again."""
    assert parse_report(text) is None


def test_a_refusal_says_every_error_and_nothing_else() -> None:
    """One line."""
    assert refusal_sentence(CHECKS) == "it is no gzip; one folder too deep"
    assert REFUSED.errors == (CHECKS[0], CHECKS[2])
    assert not REFUSED.is_accepted
    assert ACCEPTED.is_accepted
