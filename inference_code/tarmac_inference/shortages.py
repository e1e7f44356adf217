"""What it looks like when memory ends, and what gives some back. Called by `backends`, `continuous`, `serving`."""

from __future__ import annotations

import ctypes
import errno
import re
import sys

_SIGNS = re.compile(
    r"out of memory|(can't|cannot|could not|unable to|failed to) allocate|bad_alloc|alloc_failed|"
    r"failed to map segment",
    re.IGNORECASE,
)
"""How torch (CPU and CUDA), NumPy, the C++ library and the loader of shared libraries say it."""

_WISHED = re.compile(r"allocate ([\d.]+ ?(?:[KMGT]i?B|bytes))", re.IGNORECASE)


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that memory has ended."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return _SIGNS.search(str(error)) is not None


def wished(error: BaseException) -> str:
    """How much was asked for when it ended, as "tried to get 4 GiB"; else the kind of the error."""
    found = _WISHED.search(str(error))
    return f"it tried to get {found[1]}" if found else type(error).__name__


def give_back() -> None:
    """Give what was cached for next time back to the GPU; on the CPU nothing is."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def trim_heap() -> None:
    """Give what has been freed in small pieces back to the system: glibc keeps it, and its heaps grow for hours.

    Where the C library knows no malloc_trim nothing is done.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or a word where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else "no message"
