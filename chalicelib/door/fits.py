"""Whether one instance, or a serverless endpoint, can hold a model, and if not, why. Called by `ranking`; pure."""

from dataclasses import dataclass

from chalicelib.door.catalogue import Gpu, Instance
from chalicelib.door.containers import Container
from chalicelib.door.instances import has_gpu
from chalicelib.door.needs import HOST_SHARE, Need, cpu_need, gib, gpu_need
from chalicelib.door.sizing import Size

SERVERLESS_MEMORIES_MB = tuple(range(1024, 6145, 1024))
SERVERLESS_DISK_BYTES = 5_000_000_000
"""Source: SageMaker developer guide, serverless endpoints: 1 to 6 GB of memory, 5 GB of disk, no GPUs."""
VLLM_GPU_SHARE = 0.9
"""What vLLM takes of a GPU's memory. Source: vLLM, engine arguments, gpu_memory_utilization."""
_BFLOAT_CAPABILITY = 8.0
"""From here on GPUs compute with bfloat16 and unpack 4-bit weights fast; vLLM refuses bfloat16 on older ones."""
_HOST_BASE_BYTES = 2 << 30
"""The system, Python and CUDA's libraries in the memory beside the GPUs."""


@dataclass(frozen=True)
class Fit:
    """What one copy wants of an instance.

    Attributes:
        devices: How many of its GPUs share it; 0 on a CPU.
        problem: Why it cannot be; None where it can.
        is_memory: Whether memory is what is missing, and not the kind of machine.
    """

    need: Need
    devices: int
    problem: str | None = None
    is_memory: bool = False


def fit(instance: Instance, size: Size, container: Container) -> Fit:
    """Hold a model against an instance: against its GPUs' memory where it has some, else against its own."""
    if has_gpu(instance.type):
        return _on_gpu(instance, size, container)
    need = cpu_need(size)
    if container.on_cpu is None:
        return Fit(need, 0, f"container {container.name} has no image without GPUs")
    if size.needs_gpu is not None:
        return Fit(need, 0, size.needs_gpu)
    if need.total > HOST_SHARE * instance.memory_gib * 2**30:
        problem = f"too small: it has {instance.memory_gib:g} GiB, and {gib(need.total)} are wanted"
        return Fit(need, 0, problem, is_memory=True)
    return Fit(need, 0)


def fit_serverless(size: Size, container: Container) -> tuple[int, str | None]:
    """Give the least memory in MB that holds the model, and why serverless cannot run it; None when it can."""
    need = cpu_need(size)
    memory_mb = next((each for each in SERVERLESS_MEMORIES_MB if need.total <= each << 20), 0)
    most_mb = SERVERLESS_MEMORIES_MB[-1]
    if container.on_cpu is None:
        return most_mb, f"container {container.name} has no image without GPUs, and serverless has none"
    if size.needs_gpu is not None:
        return most_mb, f"{size.needs_gpu}, and serverless has none"
    if not memory_mb:
        return most_mb, f"too small: it has {most_mb / 1024:g} GiB at most, and {gib(need.total)} are wanted"
    if size.archive_bytes > SERVERLESS_DISK_BYTES:
        return (
            memory_mb,
            f"its disk has 5 GB, and the archive with what is in it takes {size.archive_bytes / 1e9:.1f} GB",
        )
    return memory_mb, None


def _on_gpu(instance: Instance, size: Size, container: Container) -> Fit:
    gpu, smallest = instance.gpu, gpu_need(size)
    if container.on_gpu is None:
        return Fit(smallest, 1, f"container {container.name} has no image for GPUs")
    if gpu is None:
        return Fit(smallest, 1, "how much memory its GPUs have is not known here")
    if (problem := _wrong_gpu(gpu, size, container)) is not None:
        return Fit(smallest, 1, problem)
    if size.host_bytes + _HOST_BASE_BYTES > HOST_SHARE * instance.memory_gib * 2**30:
        problem = f"{instance.memory_gib:g} GiB beside the GPU are too few to load a file of {gib(size.host_bytes)}"
        return Fit(smallest, 1, problem, is_memory=True)
    splits = _splits(size, container, instance.gpu_count)
    for devices in splits:
        need = gpu_need(size, devices)
        if need.total <= _usable_bytes(gpu, container):
            return Fit(need, devices)
    need = gpu_need(size, splits[0])
    have = f"{gpu.name} with {gib(_usable_bytes(gpu, container))} to use"
    if splits[0] > 1:
        problem = f"too small: {splits[0]} x {have}, and {gib(need.total)} are wanted on each"
        return Fit(need, splits[0], problem, is_memory=True)
    alone = f"; container {container.name} does not split a model" if instance.gpu_count > 1 else ""
    return Fit(need, 1, f"too small: {have}, and {gib(need.total)} are wanted{alone}", is_memory=True)


def _wrong_gpu(gpu: Gpu, size: Size, container: Container) -> str | None:
    low, high = container.capabilities
    if not low <= gpu.capability <= high:
        than = "older" if gpu.capability < low else "newer"
        return f"its {gpu.name} GPUs are {than} than what container {container.name} is built for"
    if gpu.capability >= _BFLOAT_CAPABILITY:
        return None
    if size.needs_gpu is not None:
        return f"its {gpu.name} GPUs are too old: {size.needs_gpu}"
    if container.spreads_over_gpus and "BF16" in size.dtypes:
        return f"its {gpu.name} GPUs do not compute with bfloat16"
    return None


def _usable_bytes(gpu: Gpu, container: Container) -> float:
    return (gpu.memory_mib << 20) * (VLLM_GPU_SHARE if container.spreads_over_gpus else 0.95)


def _splits(size: Size, container: Container, gpu_count: int) -> tuple[int, ...]:
    """Over how many GPUs one copy can be split, the most first: each gets the same number of attention heads.

    An image of one's own is taken to be able to split: nothing is known of it.

    Source: vLLM, tensor parallelism: heads must divide evenly; key-value heads too, or else be kept more than once.
    """
    if size.shape is None or not (container.spreads_over_gpus or container.is_own_image):
        return (1,)
    heads, kv_heads = size.shape.heads, size.shape.kv_heads
    return tuple(
        devices
        for devices in range(max(1, gpu_count), 0, -1)
        if heads % devices == 0 and (kv_heads % devices == 0 or devices % kv_heads == 0)
    )
