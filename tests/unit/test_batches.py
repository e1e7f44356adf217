"""The queue's door: what comes again, what is done with, and that one model never stops another."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.batches import look_at_each
from chalicelib.errors import AccessDenied, BadRequest, InProgress, Throttled, Unavailable
from chalicelib.names import ModelName


def record(message_id: str, model: str | None = None, *, body: str | None = None) -> dict[str, Any]:
    return {"messageId": message_id, "body": body if body is not None else json.dumps({"model": model})}


def again(records: list[dict[str, Any]], look: Callable[[ModelName], object]) -> list[str]:
    answer = look_at_each(records, look, app="tarmac")
    return [row["itemIdentifier"] for row in answer["batchItemFailures"]]


def test_each_model_is_looked_at_once_a_batch() -> None:
    """However many messages speak of it."""
    looked: list[str] = []

    assert again([record("1", "cat"), record("2", "dog"), record("3", "cat")], looked.append) == []
    assert looked == ["cat", "dog"]


@pytest.mark.parametrize("error", [Throttled("t"), Unavailable("u"), InProgress("i")])
def test_what_waiting_helps_comes_again(error: Exception) -> None:
    """All messages of that model, and of no other."""

    def look(model: ModelName) -> None:
        if model == "cat":
            raise error

    assert again([record("1", "cat"), record("2", "dog"), record("3", "cat")], look) == ["1", "3"]


@pytest.mark.parametrize("error", [AccessDenied("a"), BadRequest("b")])
def test_what_waiting_does_not_help_is_done_with(error: Exception) -> None:
    """It would only come again and again; the sweep looks anyway."""

    def look(model: ModelName) -> None:
        raise error

    assert again([record("1", "cat")], look) == []


def test_a_defect_comes_again_until_the_dead_letter_queue_has_it() -> None:
    """Nothing is lost that nobody foresaw."""

    def look(model: ModelName) -> None:
        raise ZeroDivisionError

    assert again([record("1", "cat")], look) == ["1"]


def test_an_unreadable_message_is_dropped_and_counted(counted: list[dict[str, Any]]) -> None:
    """It will never be readable: keeping it would only block the queue."""
    looked: list[str] = []

    assert again([record("1", body="{"), record("2", "cat"), record("3", body="[]")], looked.append) == []
    assert looked == ["cat"]
    assert sum("UnreadableMessages" in line for line in counted) == 2


def test_an_event_is_read_under_the_stage_s_own_prefix() -> None:
    """A key under another one speaks of no model."""
    looked: list[ModelName] = []
    events = [json.dumps({"detail": {"object": {"key": f"{prefix}cat.tar.gz"}}}) for prefix in ("team/", "models/")]

    look_at_each([record("1", body=body) for body in events], looked.append, app="tarmac", drops_prefix="team/")

    assert looked == ["cat"]
