"""Which quantised weights which container can load. Called by `chooser`, and by `inspection` with the plan.

transformers loads most of them by a library of their own, and refuses where that is not installed.
Source: transformers 5.23 and 4.51, quantizers/*.py (validate_environment); AWS's Deep Learning Containers,
huggingface/pytorch/inference/docker/2.6, whose images have accelerate, diffusers and peft beside transformers; vLLM,
model_executor/layers/quantization/__init__.py.
"""

from chalicelib.door.kinds import Findings, declarer
from chalicelib.door.models import Model
from chalicelib.door.requirement_lines import normal
from chalicelib.door.requirements import required_names
from chalicelib.door.shapes import read_quantization
from chalicelib.reports import ServingPlan, Severity

_declare = declarer("The plan")
LIBRARY_MISSING = _declare(
    "quantization-library-missing",
    Severity.ERROR,
    "The weights are quantised in a way that transformers loads by a library which the container's image has not.",
    "Save the model as it was before it was quantised; or add `code/inference.py`, a `code/requirements.txt` that names"
    " the library, and its wheels.",
)
LEFT_TO_CODE = _declare(
    "quantization-left-to-code",
    Severity.WARNING,
    "The weights are quantised in a way that transformers loads by a library which the container's image has not, and"
    " `code/requirements.txt` does not name it: unless the archive's code does without, the endpoint fails at start.",
    "Name the library in `code/requirements.txt`, and bring its wheels along.",
)

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
_BEFORE_5 = {"awq": ("autoawq",), "eetq": ("eetq",)}
VLLM_LOADS = frozenset(
    {
        "auto-round",
        "awq",
        "bitsandbytes",
        "compressed-tensors",
        "fbgemm_fp8",
        "fp8",
        "fp_quant",
        "gptq",
        "modelopt",
        "mxfp4",
        "quark",
        "torchao",
    }
)
"""What vLLM computes with as it is, by kernels of its own or libraries that its image has."""


def better_by_vllm(model: Model) -> str | None:
    """Name the quantisation that vLLM loads and the Hugging Face images do not, or only worse; None for any other."""
    found = read_quantization(model.config)
    return found.method if found is not None and found.method in VLLM_LOADS else None


def check_quantization(model: Model, plan: ServingPlan | None, findings: Findings) -> None:
    """Hold the weights' quantisation against the container; *plan* is None where none could be made."""
    found = read_quantization(model.config)
    if found is None or plan is None or plan.container != "huggingface" or found.method not in LIBRARIES:
        return
    libraries = LIBRARIES[found.method]
    if found.method in _BEFORE_5 and "-transformers4." in plan.image_uri:
        libraries = _BEFORE_5[found.method]
    required = required_names(model.contents, plan.image_uri)
    missing = [] if required is None else [each for each in libraries if normal(each) not in required]
    if not missing:
        return
    named = " and ".join(missing)
    message = (
        f"quantised by {found.method}, which needs {named}; the image of container huggingface has no such library"
    )
    if model.has_code:
        wheels = f"`pip download --only-binary :all: --dest code/wheels {' '.join(missing)}`"
        lines = f"the lines `--find-links /opt/ml/model/code/wheels` and {', '.join(f'`{each}`' for each in missing)}"
        fix = f"Run {wheels}, and add {lines} to code/requirements.txt."
        findings.add(LEFT_TO_CODE, message, path="config.json", fix=fix)
    else:
        findings.add(LIBRARY_MISSING, message, path="config.json")
