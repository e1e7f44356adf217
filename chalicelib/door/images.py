"""Which images a container has in a region, newest first. Called by `chooser` and `versions`.

Source: `image_table`, generated from the SageMaker SDK; a test asks the SDK the same questions in every region.
"""

from dataclasses import dataclass
from functools import cache

CUDA_13_AMI = "al2023-ami-sagemaker-inference-gpu-4-1"
"""The one host image whose driver (580) is new enough for CUDA 13.

Source: botocore, sagemaker/2017-07-24, ProductionVariant.InferenceAmiVersion.
"""


@dataclass(frozen=True)
class Image:
    """One image and what is in it.

    Attributes:
        transformers: Its version; None where it has none, or nobody knows.
        version: As the SageMaker SDK calls it; empty for an image of the user's own.
        inference_ami: The host image that its CUDA needs; None where SageMaker's default does.
    """

    uri: str
    transformers: str | None = None
    version: str = ""
    inference_ami: str | None = None


@dataclass(frozen=True)
class Edition:
    """One version of a container in one region: its images for CPU and for GPU instances; None where it has none."""

    version: str
    transformers: str | None
    on_cpu: Image | None
    on_gpu: Image | None


def editions(container: str, region: str) -> tuple[Edition, ...]:
    """Give every version of a container that lies in a region, newest first; none where the region has none."""
    found = []
    for name, version, transformers, registry, cpu_image, gpu_image in _rows():
        account = _accounts(registry).get(region) if name == container else None
        if account is not None:
            host = f"{account}.dkr.ecr.{region}.{_domain(region)}"
            on_cpu, on_gpu = (_image(host, image, version, transformers) for image in (cpu_image, gpu_image))
            found.append(Edition(version, transformers or None, on_cpu, on_gpu))
    return tuple(found)


def regions_of(container: str) -> frozenset[str]:
    """Name the regions that have any version of a container."""
    return frozenset(
        region for name, _, _, registry, *_ in _rows() if name == container for region in _accounts(registry)
    )


def containers_in(region: str) -> frozenset[str]:
    """Name the containers that a region has."""
    return frozenset(name for name, _, _, registry, *_ in _rows() if region in _accounts(registry))


def table_words() -> str:
    """Say how old the table is, and where it comes from."""
    from chalicelib.door import image_table

    return f"{image_table.MADE_FROM}, {image_table.MADE_ON}"


def _image(host: str, image: str, version: str, transformers: str) -> Image | None:
    if not image:
        return None
    return Image(f"{host}/{image}", transformers or None, version, CUDA_13_AMI if "-cu13" in image else None)


def _rows() -> tuple[tuple[str, str, str, str, str, str], ...]:
    # Imported when the first plan is made: most starts of a Lambda function never make one.
    from chalicelib.door import image_table

    return image_table.IMAGES


@cache
def _accounts(registry: str) -> dict[str, str]:
    from chalicelib.door import image_table

    pairs = (pair.partition("=") for pair in image_table.REGISTRIES[registry].split())
    return {region: account for region, _, account in pairs}


def _domain(region: str) -> str:
    from chalicelib.door import image_table

    return image_table.OTHER_DOMAINS.get(region, image_table.DOMAIN)
