"""Filters, order and pages of SageMaker's List operations. Called by sagemaker_responses.py."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from moto.sagemaker.exceptions import AWSValidationException

from tarmac.local.sagemaker_records import EndpointRecord, Resource

RecordT = TypeVar("RecordT", bound=Resource)

_PAGE_SIZE = 10
"""Source: ListEndpoints, MaxResults, in botocore's service model."""

_SORT_KEYS: dict[str, Callable[[Any], Any]] = {
    "Name": lambda record: record.name,
    "CreationTime": lambda record: record.created_at_s,
    "Status": lambda record: record.status,
}


def page_of(records: Iterable[RecordT], raw_request: Mapping[str, Any]) -> tuple[list[RecordT], str | None]:
    """Give one page and the token of the next.

    A token says where the page ended, not which record comes next: records may go between two pages.

    Raises:
        AWSValidationException: The token is none of ours.
    """
    sort_key = _SORT_KEYS[raw_request.get("SortBy", "CreationTime")]
    is_descending = raw_request.get("SortOrder", "Descending") == "Descending"

    def place(record: RecordT) -> list[Any]:
        return [sort_key(record), record.name]

    found = sorted(filter(_filter(raw_request), records), key=place, reverse=is_descending)
    if token := raw_request.get("NextToken"):
        last = _read(token)
        found = [one for one in found if (place(one) < last if is_descending else place(one) > last)]
    size = raw_request.get("MaxResults", _PAGE_SIZE)
    page = found[:size]
    return page, _write(place(page[-1])) if len(found) > size else None


def _filter(raw_request: Mapping[str, Any]) -> Callable[[Resource], bool]:
    part = raw_request.get("NameContains", "").lower()
    status = raw_request.get("StatusEquals")

    def is_wanted(record: Resource) -> bool:
        if part not in record.name.lower():
            return False
        if isinstance(record, EndpointRecord):
            if status not in {None, record.status}:
                return False
            if not _is_within(record.modified_at_s, raw_request, "LastModifiedTime"):
                return False
        return _is_within(record.created_at_s, raw_request, "CreationTime")

    return is_wanted


def _is_within(at_s: float, raw_request: Mapping[str, Any], name: str) -> bool:
    after, before = raw_request.get(f"{name}After"), raw_request.get(f"{name}Before")
    return (after is None or at_s > _epoch_s(after)) and (before is None or at_s < _epoch_s(before))


def _epoch_s(at: datetime) -> float:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _write(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read(token: str) -> list[Any]:
    try:
        sort_value, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        raise AWSValidationException("The NextToken is not one that this operation has given.") from None
    return [sort_value, name]
