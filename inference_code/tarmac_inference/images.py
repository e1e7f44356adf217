"""image-classification: what an image shows. Called by `registry`."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .classification import default_function, scored
from .faults import CallerFault
from .files import file_bytes
from .loading import load_image_processor, load_model
from .parameters import bounded
from .payloads import Payload
from .tasks import Task

MAX_PIXELS = 50_000_000
"""A small file can unpack to an image that fills the memory."""


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    top_k: int | None = bounded(5, least=1, most=100_000)
    function_to_apply: Literal["softmax", "sigmoid", "none"] | None = None


class ImageClassification(Task):
    """An image classifier."""

    name = "image-classification"
    parameters_type = Parameters
    batch_items = 16

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self.processor = processor

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load weights and image processor."""
        suffixes = ("ForImageClassification",)
        model = load_model(model_dir, suffixes=suffixes, auto_class="AutoModelForImageClassification")
        return cls(model, load_image_processor(model_dir))

    def parse_item(self, value: Any, *, field: str) -> Any:
        """The bytes of an image file, or the same in base64."""
        return as_image(value, field=field)

    def sample(self) -> Payload:
        """One grey square."""
        return {"inputs": [grey_square()]}

    def answer(self, items: Sequence[Any], parameters: Parameters) -> list[list[dict[str, Any]]]:
        """Score labels for each image, best first."""
        pixels = self.processor(images=list(items), return_tensors="pt")["pixel_values"]
        logits = self.model(pixel_values=pixels.to(self.model.device)).logits.float()
        config = self.model.config
        scores = scored(logits, parameters.function_to_apply or default_function(config))
        best = scores.topk(min(parameters.top_k or config.num_labels, config.num_labels))
        return [
            [{"label": config.id2label[index], "score": score} for score, index in zip(row, places, strict=True)]
            for row, places in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]


def as_image(value: Any, *, field: str) -> Any:
    """Decode an image to RGB. Raises CallerFault: truncated, too large, or no image at all."""
    import PIL
    from PIL import Image

    data = file_bytes(value, kind="image", field=field)
    try:
        image = Image.open(io.BytesIO(data))
        if image.width * image.height > MAX_PIXELS:
            raise CallerFault(f"it has {image.width} x {image.height} pixels; {MAX_PIXELS} is the most", field=field)
        return image.convert("RGB")
    except PIL.UnidentifiedImageError:
        raise CallerFault("it is not an image that can be read", field=field) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CallerFault(f"its image cannot be read ({error})", field=field) from None


def grey_square() -> bytes:
    """A small image, for warm-ups."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "grey").save(buffer, "PNG")
    return buffer.getvalue()
