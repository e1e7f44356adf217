"""Which quantised weights load by which library, and which of them vLLM loads as they are. Pure; two tables.

Called by `chooser` and `dependencies`.
Source: transformers 5.23 and 4.51, quantizers/*.py (validate_environment); vLLM,
model_executor/layers/quantization/__init__.py.
"""

LIBRARIES: dict[str, tuple[str, ...]] = {
    "aqlm": ("aqlm",),
    "auto-round": ("auto-round",),
    "awq": ("gptqmodel",),
    "bitsandbytes": ("bitsandbytes",),
    "compressed-tensors": ("compressed-tensors",),
    "eetq": ("kernels",),
    "fbgemm_fp8": ("fbgemm-gpu",),
    "fouroversix": ("fouroversix",),
    "fp_quant": ("fp-quant",),
    "gptq": ("optimum", "gptqmodel"),
    "higgs": ("flute-kernel",),
    "hqq": ("hqq",),
    "mxfp4": ("kernels",),
    "quanto": ("optimum-quanto",),
    "quark": ("amd-quark",),
    "spqr": ("spqr-quant",),
    "torchao": ("torchao",),
    "vptq": ("vptq",),
}
"""By `quant_method`: what pip calls the libraries. Without its own, mxfp4 is blown up to four times its size."""
BEFORE_5 = {"awq": ("autoawq",), "eetq": ("eetq",)}
"""Where transformers 4 wants another."""
VLLM_LOADS = frozenset({
    "auto-round", "awq", "bitsandbytes", "compressed-tensors", "fbgemm_fp8", "fp8", "fp_quant", "gptq", "modelopt",
    "mxfp4", "quark", "torchao",
})  # fmt: skip
"""What vLLM computes with as it is, by kernels of its own or libraries that its image has."""
