"""What a model's weights take: stored, loaded, and while they are loaded. Called by `plans`; pure.

What memory a model wants beside its weights is the matter of `needs`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.door.contents import Contents
from chalicelib.door.shapes import Quantization, Shape, read_quantization, read_shape
from chalicelib.door.tensors import BITS
from chalicelib.door.weights import PICKLES, loaded_files

_GPU_ONLY = frozenset({
    "aqlm", "awq", "auto-round", "bitsandbytes", "compressed-tensors", "eetq", "exl2", "fbgemm_fp8", "finegrained_fp8",
    "fp8", "fp_quant", "gptq", "higgs", "hqq", "marlin", "modelopt", "mxfp4", "quark", "spqr", "vptq",
})  # fmt: skip
"""Quantisations whose kernels are CUDA's. Source: transformers, quantizers/auto.py."""
_TORCH = (".bin", ".pt", ".pth", ".ckpt")
_OTHER_LOADING = 2.0
"""joblib, ONNX, TensorFlow, XGBoost: read whole and built again beside it."""
_HALF, _FLOATS = ("F16", "BF16"), {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True)
class Size:
    """What the weights take.

    Attributes:
        stored_bytes: In the files that are loaded.
        loaded_bytes: In memory, one copy.
        parameter_count: None when not every file says.
        dtypes: Parameters by dtype.
        shape: The model's dimensions; None where no config.json tells them.
        quantization: How the weights were made smaller, as config.json says; None where they were not.
        beside_bytes: What stands beside the loaded weights for a moment while they are loaded.
        host_bytes: What loading onto a GPU takes of the host's memory.
        archive_bytes: Everything once extracted, and packed beside it: what a disk must hold.
    """

    stored_bytes: int
    loaded_bytes: int
    parameter_count: int | None
    dtypes: Mapping[str, int]
    shape: Shape | None = None
    quantization: Quantization | None = None
    beside_bytes: int = 0
    host_bytes: int = 0
    archive_bytes: int = 0

    @property
    def itemsize(self) -> int:
        """Bytes of one number that is computed with: as most weights are loaded; 4 on a CPU that is told nothing."""
        floats = {name: count for name, count in self.dtypes.items() if name in _FLOATS}
        if not floats:
            return 2 if self.dtypes else 4
        most = max(floats, key=lambda name: floats[name])
        stored = _FLOATS[most]
        is_widened = most in _HALF and self.loaded_bytes > 1.5 * sum(floats[name] * 2 for name in floats)
        return 4 if is_widened else max(2, min(stored, 4))

    @property
    def needs_gpu(self) -> str | None:
        """Why no CPU can run it; None when one can."""
        if self.quantization is not None and self.quantization.method in _GPU_ONLY:
            return f"its weights are quantised for GPUs ({self.quantization.method})"
        if any(name.startswith("F8") for name in self.dtypes):
            return "its weights are 8-bit floats, which only GPUs compute with"
        return None

    @property
    def active_bytes(self) -> float:
        """Bytes of weights read for one token: all, or an expert mixture's share (a third of it is not experts)."""
        total, active = self.shape.experts if self.shape is not None else (1, 1)
        return self.loaded_bytes * (1 / 3 + 2 / 3 * active / total) if total > 1 else self.loaded_bytes


def measure(contents: Contents, *, loads_as_fp32: bool, config: Mapping[str, Any] | None = None) -> Size:
    """Add up an archive's weights.

    Args:
        contents: The archive's.
        loads_as_fp32: Transformers before 5 turns half-precision weights into float32 when it loads them.
        config: Its config.json; empty or None where there is none.
    """
    files, tally = loaded_files(contents), _Tally(loads_as_fp32)
    for path, size in files.items():
        facts = contents.tensors.get(path)
        if facts is None:
            tally.add_opaque(path, size)
        else:
            tally.add(size, facts.data_bytes, dict(facts.parameters))
    extracted = sum(contents.files.values()) + contents.packed_bytes
    return tally.size(config or {}, archive_bytes=extracted)


def size_of_parameters(
    parameters: Mapping[str, int], config: Mapping[str, Any], *, loads_as_fp32: bool = False, stored_bytes: int = 0
) -> Size:
    """Size a model that is known only by its number of parameters of each dtype, as the Hugging Face Hub tells them.

    Args:
        parameters: By dtype, as safetensors calls them: {"BF16": 8030261248}.
        config: Its config.json.
        loads_as_fp32: As for `measure`.
        stored_bytes: Of all files that are fetched; 0 takes what the parameters need.
    """
    tally = _Tally(loads_as_fp32)
    weights = sum(math.ceil(count * BITS.get(dtype, 16) / 8) for dtype, count in parameters.items())
    tally.add(weights, weights, parameters)
    return tally.size(config, archive_bytes=max(stored_bytes, weights))


@dataclass
class _Tally:
    """Adds up files of weights."""

    loads_as_fp32: bool
    stored: int = 0
    loaded: int = 0
    beside: float = 0.0
    largest_pickle: int = 0
    is_counted: bool = True
    dtypes: dict[str, int] = field(default_factory=dict)

    def add(self, stored_bytes: int, data_bytes: int, parameters: Mapping[str, int]) -> None:
        """Add a file that says what is in it: safetensors."""
        halves = sum(count for dtype, count in parameters.items() if dtype in _HALF)
        widened = 2 * halves if self.loads_as_fp32 else 0
        self.stored += stored_bytes
        self.loaded += data_bytes + widened
        # The file is mapped and costs nothing of its own; what is widened stands beside it.
        self.beside += widened
        for dtype, count in parameters.items():
            self.dtypes[dtype] = self.dtypes.get(dtype, 0) + count

    def add_opaque(self, path: str, size_bytes: int) -> None:
        """Add a file of which only the size is known."""
        self.stored += size_bytes
        self.loaded += size_bytes
        self.is_counted = False
        # torch maps its newer files; the older, and half precision that is widened, want room of their own.
        self.beside += size_bytes if path.endswith(_TORCH) else size_bytes * (_OTHER_LOADING - 1)
        if PICKLES.search(path):
            self.largest_pickle = max(self.largest_pickle, size_bytes)

    def size(self, config: Mapping[str, Any], *, archive_bytes: int) -> Size:
        count = sum(self.dtypes.values()) if self.is_counted and self.stored else None
        return Size(
            stored_bytes=self.stored,
            loaded_bytes=self.loaded,
            parameter_count=count,
            dtypes=self.dtypes,
            shape=read_shape(config),
            quantization=read_quantization(config),
            beside_bytes=int(self.beside),
            host_bytes=self.largest_pickle,
            archive_bytes=archive_bytes,
        )
