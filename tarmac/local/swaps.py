"""Puts our parts in the place of moto's, and moto's back at the stop: other code of the process may want moto as it is.

Called by `embedded` and what it installs.
"""

import os
import warnings
from contextlib import ExitStack
from typing import Any

from moto.core import common_models, model_instances
from moto.core.base_backend import BackendDict


def swap(stack: ExitStack, owner: Any, name: str, value: Any) -> None:
    """Set an attribute until *stack* closes."""
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def swap_urls(stack: ExitStack, urls: Any, dispatch: Any) -> None:
    """Send every path of one of moto's services to *dispatch* until *stack* closes."""
    swap(stack, urls, "url_paths", dict.fromkeys(urls.url_paths, dispatch))


def _make(cls: type, *_: Any, **__: Any) -> Any:
    return object.__new__(cls)


def forget_everything(stack: ExitStack, *, account: str) -> None:
    """Empty every service of this process, now and when *stack* closes, and stop moto from keeping what it makes.

    What is to come back comes from the state directory. moto keeps a list of every object it ever made, for its own
    reset between tests: every message, log line and version of an object, for days on end.
    """
    _empty()
    stack.callback(_empty)
    swap(stack, common_models.BaseModel, "__new__", _make)
    # moto reads it at every request; without it the account would follow from the access key.
    stack.callback(_set_account, os.environ.get("MOTO_ACCOUNT_ID"))
    _set_account(account)
    # moto tells its own developers, on the terminal, when an error is not in a service's model.
    warnings.filterwarnings("ignore", message=r"Exception\(.*\) with code .* does not match an error shape")


def _empty() -> None:
    for models in model_instances.model_data.values():
        for model in models.values():
            model.instances_tracked.clear()  # type: ignore[attr-defined]
    BackendDict.reset()


def _set_account(account: str | None) -> None:
    os.environ.pop("MOTO_ACCOUNT_ID", None)
    if account is not None:
        os.environ["MOTO_ACCOUNT_ID"] = account
