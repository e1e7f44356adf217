"""How much memory one copy of a model wants, on a CPU and on a GPU, term by term. Called by `ranking`; pure.

    weights       as loaded: by dtype, half precision as float32 where the container's transformers does that
    loading       what stands beside them for a moment while they are loaded
    KV cache      of generators: 8 sequences of 2,048 tokens, or of the model's own longest where that is shorter
    activations   24 numbers a hidden dimension, for 4,096 tokens at once
    server        measured: see _COPY_BASE_BYTES

`python -m benchmarks.sizing --measure` holds the sum against model servers that run; docs/sizing.md explains it.
"""

from dataclasses import dataclass

from chalicelib.door.sizing import Size

SEQUENCES, SEQUENCE_TOKENS = 8, 2_048
CONTEXT_TOKENS = 8_192
"""The longest input and answer planned for; a model's own limit where that is shorter."""
ACTIVATION_TOKENS = 4_096
_UNSPLIT, _SPLIT = 8, 16
"""Numbers held for each token and hidden dimension while a layer is computed: residual, norm, query, key, value,
attention's output; and twice the feed-forward layer's middle, which tensor parallelism splits."""
_BASE_BYTES = 800 << 20
_COPY_BASE_BYTES = 450 << 20
"""Measured with an almost empty model: the Java server 166 MB and each Python worker 429 MB, beside the system. With
Tarmac's own handler a worker is 386 MB."""
_SLACK = 1.1
"""For what the allocator cannot use; measured 0.97 to 1.00 of the weights with safetensors, which are mapped."""
HOST_SHARE = 0.95
"""Of an instance's memory, what the kernel leaves to programs."""
_GPU_SLACK = 1.03
_GPU_BASE_BYTES = 1 << 30
"""CUDA's context and libraries on each device, and NCCL's buffers."""


@dataclass(frozen=True)
class Need:
    """The memory that one copy wants, term by term, in bytes."""

    weights: float
    beside: float
    kv_cache: float
    activations: float
    server: float

    @property
    def total(self) -> float:
        """What must be there: loading is over before the first request, so the larger of the two counts."""
        return self.server + self.weights + max(self.beside, self.kv_cache + self.activations)

    def words(self) -> str:
        """Render the terms that matter, for people."""
        terms = [f"weights {gib(self.weights)}"]
        terms += [f"KV cache {gib(self.kv_cache)}"] if self.kv_cache >= 1 << 27 else []
        if self.beside > self.kv_cache + self.activations:
            terms.append(f"loading {gib(self.beside)}")
        else:
            terms.append(f"activations {gib(self.activations)}")
        return f"{gib(self.total)} ({', '.join(terms)}, server {gib(self.server)})"


def gib(size_bytes: float) -> str:
    """Render bytes as `12.3 GiB`."""
    value = size_bytes / 2**30
    return f"{value:.1f} GiB" if value >= 0.095 else f"{value:.2f} GiB"


def context_tokens(size: Size) -> int:
    """The longest input and answer together that the plan has room for."""
    return CONTEXT_TOKENS if size.shape is None else min(size.shape.max_tokens, CONTEXT_TOKENS)


def _kv_cache_bytes(size: Size, itemsize: int) -> int:
    shape = size.shape
    if shape is None:
        return 0
    longest = min(shape.max_tokens, shape.window or shape.max_tokens)
    tokens = max(SEQUENCES * min(longest, SEQUENCE_TOKENS), min(longest, CONTEXT_TOKENS))
    return tokens * shape.kv_bytes_per_token(itemsize)


def _activation_bytes(size: Size, itemsize: int, devices: int = 1) -> float:
    if size.shape is None:
        return 0.1 * size.loaded_bytes
    tokens = min(ACTIVATION_TOKENS, SEQUENCES * size.shape.max_tokens)
    return float(tokens * size.shape.hidden * (_UNSPLIT + _SPLIT / devices) * itemsize)


def cpu_need(size: Size) -> Need:
    """What one copy wants of a CPU instance's memory, the server and the system included."""
    return Need(
        weights=_SLACK * size.loaded_bytes,
        beside=size.beside_bytes,
        kv_cache=_kv_cache_bytes(size, size.itemsize),
        activations=_activation_bytes(size, size.itemsize),
        server=_BASE_BYTES + _COPY_BASE_BYTES,
    )


def copy_bytes(size: Size) -> float:
    """What one copy wants for itself: without the system and the server in front, which are there once."""
    return cpu_need(size).total - _BASE_BYTES


def copies(memory_gib: float, vcpus: int, size: Size) -> int:
    """How many copies of the model fit into so much memory, one a vCPU at most and one at least."""
    room = HOST_SHARE * memory_gib * 2**30 - _BASE_BYTES
    return max(1, min(vcpus, int(room // copy_bytes(size))))


def gpu_need(size: Size, devices: int = 1) -> Need:
    """What each of so many GPUs wants, with the weights and the cache split evenly among them.

    With more devices than key-value heads, each head is kept more than once.
    """
    itemsize = min(2, size.itemsize) if size.shape is not None and size.shape.is_generator else size.itemsize
    kept = devices
    if size.shape is not None and size.shape.latent_dim is None:
        kept = min(devices, size.shape.kv_heads)
    return Need(
        weights=_GPU_SLACK * size.loaded_bytes / devices,
        beside=0,
        kv_cache=_kv_cache_bytes(size, itemsize) / kept,
        activations=_activation_bytes(size, itemsize, devices),
        server=_GPU_BASE_BYTES,
    )
