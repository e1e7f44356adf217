"""A container: its images, and what is true of it wherever it runs. Made by `chooser`, read by those who place it."""

from dataclasses import dataclass

from chalicelib.door.catalogue import Gpu
from chalicelib.door.images import Image
from chalicelib.door.instances import has_gpu

_SPREADING = frozenset({"vllm"})
_ONE_PROCESS = frozenset({"tensorflow", "tei", "vllm"})
_ANY_GPU = (0.0, 100.0)
_CAPABILITIES = {
    "huggingface": (5.0, 9.0),
    "pytorch": (5.0, 9.0),
    "tei": (7.5, 9.0),
    "tensorflow": (6.0, 100.0),
    "vllm": (7.5, 100.0),
}
"""CUDA compute capabilities that the images' kernels are built for: torch 2.6 for CUDA 12.4, TEI's three binaries,
TensorFlow 2.20, vLLM for CUDA 13. Source: the projects' build settings; compute capability: NVIDIA's table of GPUs."""


@dataclass(frozen=True)
class Container:
    """A container, as far as it matters for the choice of an instance.

    Attributes:
        name: As deploy.toml calls it, or an image URI.
        why: One sentence for people.
        on_cpu, on_gpu: Its images; None where it has none for such instances. At least one is there.
        env: What it must be told wherever it runs.
    """

    name: str
    why: str
    on_cpu: Image | None
    on_gpu: Image | None
    env: tuple[tuple[str, str], ...] = ()

    def image_for(self, instance_type: str) -> Image | None:
        """The image for such an instance; None where there is none."""
        return self.on_gpu if has_gpu(instance_type) else self.on_cpu

    @property
    def loads_as_fp32(self) -> bool:
        """Whether half-precision weights become float32 in memory, as transformers before 5 does unless told not to."""
        image = self.on_cpu or self.on_gpu
        return image is not None and image.transformers is not None and image.transformers < "5"

    @property
    def is_gpu_only(self) -> bool:
        """Whether it runs on GPUs alone."""
        return self.on_cpu is None

    @property
    def is_own_image(self) -> bool:
        """Whether it is an image of the user's own, of which nothing is known."""
        return "/" in self.name

    @property
    def spreads_over_gpus(self) -> bool:
        """Whether it shares one copy of a model among several GPUs."""
        return self.name in _SPREADING

    @property
    def serves_one_copy(self) -> bool:
        """Whether one copy of the model serves the whole instance, so that none has to say how many there are."""
        return self.name in _ONE_PROCESS

    @property
    def capabilities(self) -> tuple[float, float]:
        """The lowest and the highest CUDA compute capability that its image for GPUs runs on."""
        return _CAPABILITIES.get(self.name, _ANY_GPU)

    def gpu_problem(self, gpu: Gpu) -> str | None:
        """Say why its image for GPUs does not run on such a one; None when it does, as far as is known."""
        lowest, highest = self.capabilities
        if lowest <= gpu.capability <= highest:
            return None
        built_for = f"{lowest:g} and newer" if highest == _ANY_GPU[1] else f"{lowest:g} to {highest:g}"
        return (
            f"its {gpu.name} GPUs have compute capability {gpu.capability:g}, and the image of container {self.name}"
            f" is built for {built_for}"
        )

    def env_on(self, devices: int) -> tuple[tuple[str, str], ...]:
        """What it must be told because one copy of the model is shared by so many GPUs (0: it runs on CPUs)."""
        return (("SM_VLLM_TENSOR_PARALLEL_SIZE", str(devices)),) if self.spreads_over_gpus and devices > 1 else ()
