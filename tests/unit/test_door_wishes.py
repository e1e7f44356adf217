"""deploy.toml's messages name the line and what was meant, and its wishes reach the plan."""

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.door.kinds import Findings
from chalicelib.door.schema import KEYS, Rules, duration_words
from chalicelib.door.wishes import Wishes, line_of, read_wishes
from chalicelib.reports import Check
from tarmac.docs_checks import PAGES

RULES = Rules(idle_floor_s=900.0, allowed_images=frozenset({"1.dkr.ecr.eu-west-1.amazonaws.com/mine:1"}))


def read(text: str) -> tuple[Wishes, tuple[Check, ...]]:
    findings = Findings()
    return read_wishes(text.encode(), RULES, findings), findings.checks()


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ('\nidle_afer = "30m"', "line 2: idle_afer is not a key of the top of the file", "Did you mean idle_after?"),
        ("[serverles]\n", "line 1: serverles is not a key of the top of the file", "Did you mean serverless?"),
        ('task = "fill-maks"', "line 1: task is 'fill-maks', which is not one", 'Did you mean "fill-mask"?'),
        ('instance_type = "ml.m5.lage"', "line 1: instance_type is", 'Did you mean "ml.m5.large"?'),
        ("\n\nidle_after = 900", "line 3: idle_after is a string, not a whole number", 'idle_after = "30m"'),
        ('idle_after = "14m"', "line 1: idle_after is '14m'; the shortest here is 15m", 'idle_after = "15m"'),
        ('[env]\nidle_after = "1h"', "line 2: [env] idle_after is a key of its own", "top of the file"),
        ('[env]\nomp_num_threads = "1"', "line 2: [env] omp_num_threads may not be set", "OMP_NUM_THREADS"),
        ("[env]\nOMP_NUM_THREADS = 4", "must be a string", 'OMP_NUM_THREADS = "4"'),
        ("memory_mb = 4096", "line 1: memory_mb does not belong to the top", "under a line [serverless]"),
        ('[autoscale]\ntask = "fill-mask"', "line 2: task does not belong to [autoscale]", "above the first [table]"),
        ("idle_after = 30m", "line 1, column 16:", 'idle_after = "30m"'),
        ("task: fill-mask", "line 1, column 5:", 'task = "fill-mask"'),
        ("env = 3", "line 1: env is a table", "docs/deploy-toml.md"),
    ],
)
def test_each_mistake_names_its_line_and_what_was_meant(text: str, message: str, fix: str) -> None:
    _, (check, *others) = read(text)

    assert not others
    assert message in check.message
    assert fix in (check.fix or "")
    assert check.path == "deploy.toml"


def test_every_wish_that_is_right_is_read() -> None:
    wishes, checks = read(
        'task = "fill-mask"\ninstance_type = "ml.g5.xlarge"\ninstance_count = 3\nmax_hourly_cost = 9\n'
        'idle_after = "1.5h"\n'
        'container = "pytorch"\ntrust = "trusted"\n[env]\nTS_MAX_REQUEST_SIZE = "9"\nOMP_NUM_THREADS = "2"\n'
    )

    assert checks == ()
    assert wishes == Wishes(
        task="fill-mask",
        instance_type="ml.g5.xlarge",
        instance_count=3,
        max_hourly_cost=9.0,
        idle_after_s=5400.0,
        has_idle_after=True,
        container="pytorch",
        trust="trusted",
        env=(("OMP_NUM_THREADS", "2"), ("TS_MAX_REQUEST_SIZE", "9")),
    )


def test_never_is_a_wish_and_no_wish_is_none() -> None:
    assert read('idle_after = "never"')[0] == Wishes(idle_after_s=None, has_idle_after=True)
    assert read("")[0] == Wishes()


def test_an_image_on_the_allow_list_is_a_container() -> None:
    wishes, checks = read('container = "1.dkr.ecr.eu-west-1.amazonaws.com/mine:1"')

    assert checks == ()
    assert wishes.container == "1.dkr.ecr.eu-west-1.amazonaws.com/mine:1"


def test_every_key_s_own_example_is_valid() -> None:
    for key in KEYS:
        header = f"[{key.table}]\n" if key.table else ""
        bound = "\nmax = 4" if key.table == "autoscale" and key.name != "max" else ""
        _, checks = read(f"{header}{key.name} = {key.example}{bound}")
        assert not [check for check in checks if check.id != "wish-not-acted-on"], key.name


def test_lines_are_found_in_every_way_toml_can_say_it() -> None:
    text = 'task = "a"\n"mode" = "b"\nserverless.memory_mb = 1\n[ env ]\n  HF_TASK = "c"\n[autoscale]\nmin = 1\n'

    assert line_of(text, "", "task") == 1
    assert line_of(text, "", "mode") == 2
    assert line_of(text, "serverless", "memory_mb") == 3
    assert line_of(text, "env", "HF_TASK") == 5
    assert line_of(text, "autoscale", "min") == 7
    assert line_of(text, "", "min") is None
    assert line_of("env = {HF_TASK = 'x'}", "env", "HF_TASK") == 1


@pytest.mark.parametrize("seconds", [1.0, 90.0, 900.0, 3600.0, 86400.0])
def test_durations_are_shown_as_they_are_written(seconds: float) -> None:
    words = duration_words(seconds)

    wishes, _ = read(f'idle_after = "{words}"')
    assert seconds < 900 or wishes.idle_after_s == timedelta(seconds=seconds).total_seconds()


@pytest.mark.parametrize("page", PAGES)
def test_the_generated_pages_are_current(page: str) -> None:
    on_disk = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")

    assert on_disk == PAGES[page](), "run `python -m tarmac.docs_checks`"


def test_the_documented_example_is_a_good_deploy_toml() -> None:
    text = PAGES["deploy-toml.md"]().split("```toml\n")[1].split("```")[0]

    assert tomllib.loads(text)
    assert read(text)[1] == ()
