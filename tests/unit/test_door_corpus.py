"""Every archive of the corpus gets exactly the checks it must, and each with its fix."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chalicelib.door import DoorRules, inspect, refuse_name
from chalicelib.door.kinds import KINDS
from chalicelib.door.streams import Limits
from chalicelib.names import ModelName
from chalicelib.reports import Report, Severity, parse_report
from chalicelib.state import Drop
from tests.unit.corpus_cases import CASES

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
RULES = DoorRules(
    region="eu-west-1",
    instance_type="ml.m5.large",
    idle_after_s=900.0,
    idle_floor_s=900.0,
    limits=Limits(ratio_free_bytes=16 << 20),  # as in life, but for bombs that can be made in a moment
)
BUILT = {name: case.build() for name, case in CASES.items()}


def drop_of(raw: bytes, name: str = "cat") -> Drop:
    return Drop(ModelName(name), f"models/{name}/model.tar.gz", "etag", len(raw), NOW)


def report_on(raw: bytes, raw_toml: bytes | None = None, rules: DoorRules = RULES) -> Report:
    return inspect(drop_of(raw), io.BytesIO(raw), raw_toml, rules=rules, now=NOW)


def rules_of(name: str) -> DoorRules:
    return replace(RULES, trust_ceiling=CASES[name].trust_ceiling)


@pytest.mark.parametrize("name", CASES)
def test_each_archive_gets_exactly_the_checks_it_must(name: str) -> None:
    report = report_on(BUILT[name], CASES[name].raw_toml, rules_of(name))

    found = {check.id for check in report.checks if check.severity is not Severity.INFO}
    assert found == CASES[name].expected
    assert CASES[name].errors in (None, {check.id for check in report.errors})
    assert report.is_accepted == (not report.errors)


@pytest.mark.parametrize("name", CASES)
def test_every_finding_says_what_to_do_and_survives_json(name: str) -> None:
    report = report_on(BUILT[name], CASES[name].raw_toml, rules_of(name))

    for check in report.checks:
        assert check.message
        assert "\n" not in check.message
        assert len(check.message) < 400
        if check.severity is Severity.ERROR:
            assert check.fix
    assert parse_report(report.to_json().encode()) == report


def test_the_corpus_meets_every_kind_of_error() -> None:
    errors = {kind.id for kind in KINDS.values() if kind.severity is Severity.ERROR}

    # path-empty and archive-too-large need headers that no honest size allows; test_door_archives has them. What is
    # wrong with a code/ beside the archive is in test_door_grafts.
    met = {check_id for case in CASES.values() for check_id in case.expected}
    elsewhere = {"bad-name", "path-empty", "archive-too-large", "no-instance-fits", "code-twice", "code-too-large"}
    elsewhere |= {"instance-not-allowed", "quota-zero", "serverless-cannot"}  # in test_door_sizes
    elsewhere |= {"serverless-outside-vpc"}  # in test_modes
    elsewhere |= {"image-not-in-region"}  # in test_door_containers
    of_the_hub = {kind.id for kind in KINDS.values() if kind.id.startswith("hub-model-")} | {"archive-missing"}
    assert errors - met <= elsewhere | of_the_hub  # in test_hub_models


def test_a_bad_name_is_refused_without_the_archive_and_with_a_better_one() -> None:
    report = refuse_name(drop_of(b"", "My Model!"), now=NOW)

    assert [check.id for check in report.checks] == ["bad-name"]
    assert "models/my-model/model.tar.gz" in (report.checks[0].fix or "")
    assert not report.is_accepted


def test_a_stage_that_only_scans_tells_nobody_to_write_trusted() -> None:
    report = report_on(BUILT["pickle hostile by another name"], rules=replace(RULES, trust_ceiling="scan"))

    (check,) = report.errors
    assert check.id == "pickle-import-not-allowed"
    assert "trusted" not in (check.fix or "")
    assert "`scan`" in (check.fix or "")
