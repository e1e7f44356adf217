"""What counts as memory that has ended."""

import ctypes
import errno

import psutil
import pytest

from inference_code.tarmac_inference.backends import as_fault
from inference_code.tarmac_inference.faults import ModelFault, OutOfMemory
from inference_code.tarmac_inference.shortages import is_shortage, trim_heap, wished


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 1.00 GiB for an array with shape (1073741824,) and data type uint8"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
            "allocate 4096000000 bytes. Error code 12 (Cannot allocate memory)"
        ),
        RuntimeError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 79.15 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("std::bad_alloc"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_every_way_to_say_so_is_understood(error: Exception) -> None:
    fault = as_fault(error)

    assert is_shortage(error)
    assert isinstance(fault, OutOfMemory)
    assert fault.status == 507


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        OSError(errno.ENOENT, "No such file"),
        ValueError("index out of range"),
    ],
)
def test_nothing_else_is(error: Exception) -> None:
    assert not is_shortage(error)
    assert type(as_fault(error)) is ModelFault


@pytest.mark.parametrize(
    ("words", "amount"),
    [
        ("you tried to allocate 4096000000 bytes. Error code 12", "it tried to get 4096000000 bytes"),
        ("CUDA out of memory. Tried to allocate 2.50 GiB.", "it tried to get 2.50 GiB"),
        ("std::bad_alloc", "RuntimeError"),
    ],
)
def test_the_amount_is_told_where_it_is_known(words: str, amount: str) -> None:
    assert wished(RuntimeError(words)) == amount


def test_a_fault_does_not_keep_what_the_model_had_made_alive() -> None:
    """An error holds its frames, and they hold every array in them."""

    def fail() -> None:
        raise RuntimeError("the weights are worn out")

    try:
        fail()
    except RuntimeError as error:
        fault = as_fault(error)

    assert (fault.__cause__, fault.__traceback__) == (None, None)
    assert fault.facts["error"] == "RuntimeError"
    assert fault.facts["at"][-1].endswith("fail")


def test_what_was_freed_between_pieces_that_are_kept_goes_back_to_the_system() -> None:
    process = psutil.Process()
    pieces = [bytearray(2000) for _ in range(40_000)]
    kept = pieces[::50]
    pieces.clear()
    before = process.memory_info().rss

    trim_heap()

    freed_mb = (before - process.memory_info().rss) / 1e6
    knows_trim = hasattr(ctypes.CDLL(None), "malloc_trim")
    assert freed_mb > 40 if knows_trim else freed_mb < 40
    assert len(kept) == 800
