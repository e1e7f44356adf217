"""How much memory a model wants, and the cheapest instance that has it. Called by `plans`; pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.door.contents import Contents
from chalicelib.door.instances import PRICED, Instance
from chalicelib.door.weights import loaded_files

HEADROOM = 2.0
"""Room for one copy: its weights, and as much again for loading and activations."""
_BASE_BYTES = 800 << 20
_COPY_BASE_BYTES = 450 << 20
"""Measured with an almost empty model: the Java server 166 MB and each Python worker 429 MB, beside the system."""
_GPU_HEADROOM = 1.2


@dataclass(frozen=True)
class Size:
    """What the weights take.

    Attributes:
        stored_bytes: In the files that are loaded.
        loaded_bytes: In memory, one copy.
        parameter_count: None when not every file says.
        dtypes: Parameters by dtype.
    """

    stored_bytes: int
    loaded_bytes: int
    parameter_count: int | None
    dtypes: Mapping[str, int]


def measure(contents: Contents, *, loads_as_fp32: bool) -> Size:
    """Add up the weights.

    Args:
        contents: The archive's.
        loads_as_fp32: Transformers before 5 turns half-precision weights into float32 when it loads them.
    """
    stored_bytes, loaded_bytes, dtypes = 0, 0, dict[str, int]()
    files = loaded_files(contents)
    for path, size in files.items():
        stored_bytes += size
        facts = contents.tensors.get(path)
        if facts is None:
            loaded_bytes += size
            continue
        halves = sum(count for dtype, count in facts.parameters if dtype in ("F16", "BF16"))
        loaded_bytes += facts.data_bytes + (2 * halves if loads_as_fp32 else 0)
        for dtype, count in facts.parameters:
            dtypes[dtype] = dtypes.get(dtype, 0) + count
    is_counted = bool(files) and all(path in contents.tensors for path in files)
    return Size(stored_bytes, loaded_bytes, sum(dtypes.values()) if is_counted else None, dtypes)


def need_bytes(size: Size, copies: int = 1) -> float:
    """Memory that so many copies of the model want, the server and the system included."""
    return _BASE_BYTES + copies * (_COPY_BASE_BYTES + HEADROOM * size.loaded_bytes)


def holds(instance: Instance, size: Size) -> bool:
    """Tell whether an instance can run one copy: in GPU memory where it has GPUs, else in its own."""
    if instance.gpu_memory_gib:
        return _GPU_HEADROOM * size.loaded_bytes <= instance.gpu_memory_gib << 30
    return need_bytes(size) <= instance.memory_gib << 30


def cheapest(size: Size) -> Instance | None:
    """Find the cheapest steady CPU instance that holds the model; None when none does."""
    fitting = [
        instance for instance in PRICED if instance.is_steady and not instance.gpu_memory_gib and holds(instance, size)
    ]
    return min(fitting, key=lambda instance: instance.price_per_hour_usd, default=None)


def copies(instance: Instance, size: Size) -> int:
    """How many copies of the model an instance has room for, one a vCPU at most and one at least."""
    room = (instance.memory_gib << 30) - _BASE_BYTES
    return max(1, min(instance.vcpus, int(room // (_COPY_BASE_BYTES + HEADROOM * size.loaded_bytes))))
