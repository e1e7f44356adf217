"""Events: which model they are about, and nothing else."""

import json
from typing import Any

import pytest

from chalicelib.hints import models_in


def s3_event(key: str) -> dict[str, Any]:
    return {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "detail": {"bucket": {"name": "b"}, "object": {"key": key}},
    }


def endpoint_event(name: str) -> dict[str, Any]:
    return {
        "detail-type": "SageMaker Endpoint State Change",
        "detail": {"EndpointName": name, "EndpointStatus": "IN_SERVICE"},
    }


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"model": "cat"}, ("cat",)),
        (s3_event("models/cat/model.tar.gz"), ("cat",)),
        (s3_event("models/cat.tar.gz"), ("cat",)),
        (s3_event("models/cat/deploy.toml"), ("cat",)),
        (s3_event("models/Bad Name/model.tar.gz"), ("Bad Name",)),
        (s3_event("releases/cat/0123456789ab/model.tar.gz"), ()),
        (s3_event("models/cat/notes.txt"), ()),
        (endpoint_event("tarmac-cat"), ("cat",)),
        (endpoint_event("Tarmac-Cat"), ("cat",)),
        (endpoint_event("other-cat"), ()),
        ({}, ()),
        ({"detail": None}, ()),
        ({"detail": {"object": {"key": 5}}}, ()),
        ({"detail": {"object": "models/cat.tar.gz"}}, ()),
        ({"model": 5}, ()),
    ],
)
def test_an_event_names_its_model(raw: dict[str, Any], expected: tuple[str, ...]) -> None:
    """Or none."""
    assert models_in(json.dumps(raw), app="tarmac") == expected


@pytest.mark.parametrize("body", ["", "{", "[]", '"cat"', "5", "null"])
def test_what_is_no_object_is_unreadable(body: str) -> None:
    """Nobody who may send here writes such a thing."""
    with pytest.raises(ValueError, match=r".+"):
        models_in(body, app="tarmac")


def test_only_what_lies_under_the_stage_s_own_prefix_is_a_drop() -> None:
    """The prefix is matched as it is, not anywhere in the key."""
    mine, other = s3_event("team/cat/model.tar.gz"), s3_event("models/cat/model.tar.gz")

    assert models_in(json.dumps(mine), app="tarmac", drops_prefix="team/") == ("cat",)
    assert models_in(json.dumps(other), app="tarmac", drops_prefix="team/") == ()
