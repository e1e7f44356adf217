"""moto's S3 over files and a journal. Installed by `embedded`, spoken to by `s3_http` and SageMaker."""

from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, cast

from moto.awslambda import models as awslambda_models
from moto.s3 import models

from tarmac.local.journal import Journal
from tarmac.local.objects import ObjectStore
from tarmac.local.s3_multiparts import Multiparts
from tarmac.local.swaps import swap


class LocalS3(Multiparts):
    """S3 whose objects are files and survive a kill."""

    __module__ = models.__name__  # moto finds a backend's URLs next to the module that its class says it is from


_content_of = awslambda_models._s3_content  # noqa: SLF001  # moto reads no bundle in another way


def _code_of(key: Any) -> tuple[bytes, int, str, str]:
    """Read a function's bundle, which moto's Lambda wants as bytes."""
    content: tuple[bytes, int, str, str] = _content_of(SimpleNamespace(value=key.value.read(), size=key.size))
    return content


def install(stack: ExitStack, store: ObjectStore, journal: Journal, *, account: str) -> LocalS3:
    """Make every S3 call of this process one on *store*, until *stack* closes, and bring back what it holds."""
    LocalS3.store = store
    LocalS3.journal = journal
    swap(stack, models.s3_backends, "backend", LocalS3)
    swap(stack, awslambda_models, "_s3_content", _code_of)
    models.s3_backends.bucket_accounts.clear()
    models.s3_backends.clear()
    backend = cast("LocalS3", models.s3_backends[account]["aws"])
    store.find_with(backend.path_of)
    backend.restore()
    return backend
