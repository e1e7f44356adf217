"""What the environment says about serving."""

from pathlib import Path

import pytest

from inference_code.tarmac_inference.faults import LoadError
from inference_code.tarmac_inference.settings import Settings


def test_nothing_said_is_the_container_contract() -> None:
    assert Settings.read({}) == Settings(model_dir=Path("/opt/ml/model"), threads=None)


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({"TARMAC_THREADS": "1"}, 1),
        ({"TARMAC_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "1"}, None),
        ({"OMP_NUM_THREADS": "4,2"}, None),
    ],
)
def test_threads_are_a_wish_or_left_to_the_models_size(environment: dict[str, str], threads: int | None) -> None:
    assert Settings.read(environment).threads == threads


@pytest.mark.parametrize(
    ("environment", "give_up_s"),
    [
        ({}, 120),
        ({"TARMAC_TIMEOUT_S": "5"}, 10),
        ({"TARMAC_TIMEOUT_S": "5", "TARMAC_GIVE_UP_S": "60"}, 60),
        ({"TARMAC_TIMEOUT_S": "5", "TARMAC_GIVE_UP_S": "1"}, 5),
    ],
)
def test_a_model_is_given_up_after_twice_its_time_or_when_it_is_said(
    environment: dict[str, str], give_up_s: float
) -> None:
    assert Settings.read(environment).give_up_s == give_up_s


@pytest.mark.parametrize("value", ["0", "-1", "many", "nan", "inf"])
def test_a_number_that_makes_no_sense_names_its_variable(value: str) -> None:
    with pytest.raises(LoadError, match="TARMAC_TIMEOUT_S"):
        Settings.read({"TARMAC_TIMEOUT_S": value})


@pytest.mark.parametrize("name", ["TARMAC_THREADS", "TARMAC_PROCESSES", "TARMAC_MAX_WAITING", "TARMAC_MAX_BODY_BYTES"])
@pytest.mark.parametrize("value", ["0", "-1", "0.5", "2.5", "many", "", "9" * 5000])
def test_a_count_that_is_no_whole_number_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(LoadError, match=f"{name} is .*whole number above zero"):
        Settings.read({name: value})


def test_processes_are_a_wish_or_left_to_the_models_size() -> None:
    assert (Settings.read({}).processes, Settings.read({"TARMAC_PROCESSES": "3"}).processes) == (None, 3)
