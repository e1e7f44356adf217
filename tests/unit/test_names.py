"""Names: what is good, what is read back, and that no two things share one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import names
from chalicelib.names import ModelName

MODELS = st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,19}", fullmatch=True)
RAW = st.text(min_size=1, max_size=300)
HEX12 = st.from_regex(r"[0-9a-f]{12}", fullmatch=True)


@given(MODELS)
def test_a_model_is_read_back_from_its_endpoint_s_name(model: str) -> None:
    """One to one."""
    assert names.name_problem(model) is None
    assert names.model_of_endpoint("tarmac", names.endpoint_name("tarmac", model)) == model


@given(MODELS, st.sampled_from([names.archive_key, names.flat_archive_key, names.toml_key]))
def test_a_model_is_read_back_from_each_of_its_keys(model: str, key_of: object) -> None:
    """One to one, whichever spelling."""
    assert callable(key_of)
    assert names.model_of_drop_key(key_of(model)) == model


@given(RAW)
def test_a_suggested_name_is_a_good_one(raw: str) -> None:
    """Whatever it was made from."""
    assert names.name_problem(names.suggest_name(raw)) is None


@given(MODELS, HEX12)
def test_sagemaker_takes_every_name(model: str, release: str) -> None:
    """63 characters at most, at the longest app and model."""
    longest = model.ljust(names.MODEL_NAME_MAX_LENGTH, "x")
    app = "a" * names.APP_NAME_MAX_LENGTH

    assert len(names.release_name(app, longest, release)) <= 63
    assert names.is_release_name(app, longest, names.release_name(app, longest, release))


@given(MODELS, MODELS, HEX12)
def test_records_of_one_model_are_never_taken_for_another_s(model: str, other: str, release: str) -> None:
    """Though `a` begins `a-b`."""
    is_taken = names.is_release_name("tarmac", model, names.release_name("tarmac", other, release))

    assert is_taken == (model == other)


def test_records_of_a_and_a_b_are_told_apart() -> None:
    """Also where a model is called like another one's release."""
    assert not names.is_release_name("tarmac", "a", "tarmac-a-b-01234567")
    assert not names.is_release_name("tarmac", "a", "tarmac-a-01234567-89abcdef")
    assert names.is_release_name("tarmac", "a", "tarmac-a-01234567")


@pytest.mark.parametrize("name", ["tarmac", "tarmac-", "tarmacs-cat", "other-cat", "tarmac-Cat", "tarmac--cat", "cat"])
def test_a_foreign_endpoint_s_name_is_no_model(name: str) -> None:
    """Not every name with our prefix is one that we give."""
    assert names.model_of_endpoint("tarmac", name) is None


@pytest.mark.parametrize(
    "raw", ["", "Cat", "a--b", "-a", "a-", "a_b", "a.b", "a/b", "../a", "a b", "a\n", "ä", "x" * 41]
)
def test_a_bad_name_has_its_problem_said(raw: str) -> None:
    """Never silently mended."""
    assert names.name_problem(raw)


@pytest.mark.parametrize(
    "key",
    [
        "models/",
        "models/cat",
        "models/cat/",
        "models/cat/readme.md",
        "models//model.tar.gz",
        "models/.tar.gz",
        "models/a/b.tar.gz",
        "releases/cat/0123456789ab/model.tar.gz",
        "cat/model.tar.gz",
        "",
    ],
)
def test_other_keys_are_no_drops(key: str) -> None:
    """They are not ours to read."""
    assert names.model_of_drop_key(key) is None


def test_a_raw_name_in_a_key_is_read_as_it_stands() -> None:
    """It is the door that refuses it, so that the person is told."""
    assert names.model_of_drop_key("models/a/b/model.tar.gz") == "a/b"
    assert names.model_of_drop_key("models/Bad Name.tar.gz") == "Bad Name"


def test_release_ids_depend_on_both_files_and_on_nothing_else() -> None:
    """Twelve hex digits."""
    ids = {names.release_id(a, t) for a in ("x", "y") for t in (None, "x", "y")}

    assert len(ids) == 6
    assert all(len(i) == 12 and int(i, 16) >= 0 for i in ids)
    assert names.release_id("x", None) == names.release_id("x", None)


@given(RAW)
def test_a_releases_prefix_fits_a_key_and_is_found_again_by_itself(raw: str) -> None:
    """A sweep knows a raw name that was cut only by what it was cut to."""
    prefix = names.releases_prefix(raw)
    cut = ModelName(prefix.removeprefix("releases/").removesuffix("/"))

    assert len(f"{prefix}0123456789ab/model.tar.gz".encode()) <= 1024
    assert names.releases_prefix(cut) == prefix


def test_two_long_names_that_begin_alike_have_their_own_prefixes() -> None:
    """The hash tells them apart."""
    assert names.releases_prefix("x" * 300 + "a") != names.releases_prefix("x" * 300 + "b")


@given(MODELS, st.sampled_from([names.archive_key, names.flat_archive_key, names.toml_key]))
def test_a_model_is_read_back_under_another_prefix_and_only_there(model: str, key_of: Any) -> None:
    """One to one, whichever prefix."""
    key = key_of(model, prefix="team/drops/")

    assert names.model_of_drop_key(key, prefix="team/drops/") == model
    assert names.model_of_drop_key(key) is None
