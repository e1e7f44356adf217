"""What `tarmac check` says of where a model would run: the choice, and why nothing else."""

from pathlib import Path

import pytest

from tests.local.engines import tarmac
from tests.unit.test_door_corpus import BUILT


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small classifier's."""
    path = tmp_path_factory.mktemp("ranking") / "model.tar.gz"
    path.write_bytes(BUILT["bert"])
    return path


def test_check_prints_the_ranking_with_a_reason_for_every_loser(archive: Path) -> None:
    ran = tarmac("check", str(archive))

    assert ran.code == 0, ran.err
    lines = [line.split(maxsplit=2) for line in ran.out.splitlines() if line.startswith(("ml.", "serverless"))]
    assert ["ml.c5.large", "$0.102", "chosen"] in [[word.strip() for word in line] for line in lines]
    assert all(len(line) == 3 for line in lines)
    assert "not asked for: mode" in ran.out


def test_check_json_carries_it_for_programs(archive: Path) -> None:
    ranking = tarmac("check", str(archive), "--json").raw["plan"]["ranking"]

    assert ranking[0] == {"name": "ml.c5.large", "price_per_hour": 0.102, "currency": "USD", "why_not": None}
    assert all(row["why_not"] for row in ranking[1:])


def test_prices_are_those_of_the_region_asked_for_or_said_to_be_another_s(archive: Path) -> None:
    assert "the price of us-east-1" in tarmac("check", str(archive), "--region", "eu-west-1").out
    assert "the price of us-east-1" not in tarmac("check", str(archive)).out


def test_too_dear_is_refused_with_the_cheapest_that_fits(archive: Path, tmp_path: Path) -> None:
    wishes = tmp_path / "deploy.toml"
    wishes.write_text("max_hourly_cost = 0.05\n")

    ran = tarmac("check", str(archive), "--toml", str(wishes))

    assert ran.code == 1
    assert "ml.c5.large, for $0.102 an hour, over 0.05" in ran.out
    assert "Write max_hourly_cost = 0.102 or more" in ran.out
