"""object-detection: what is where in an image. Called by `registry`."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .images import as_image, grey_square
from .loading import load_image_processor, load_model
from .parameters import bounded
from .payloads import Payload
from .tasks import Task

_EDGES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    threshold: float = bounded(0.5, least=0, most=1)


class ObjectDetection(Task):
    """A detector."""

    name = "object-detection"
    parameters_type = Parameters
    batch_items = 8

    def __init__(self, model: Any, processor: Any) -> None:
        self.model = model
        self.processor = processor
        self._reads = set(inspect.signature(model.forward).parameters)

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load weights and image processor."""
        model = load_model(model_dir, suffixes=("ForObjectDetection",), auto_class="AutoModelForObjectDetection")
        return cls(model, load_image_processor(model_dir))

    def parse_item(self, value: Any, *, field: str) -> Any:
        """The bytes of an image file, or the same in base64."""
        return as_image(value, field=field)

    def sample(self) -> Payload:
        """One grey square."""
        return {"inputs": [grey_square()]}

    def answer(self, items: Sequence[Any], parameters: Parameters) -> list[list[dict[str, Any]]]:
        """List what is in each image, with its box in pixels, in the model's own order."""
        import torch

        inputs = self.processor(images=list(items), return_tensors="pt")
        read = {name: value.to(self.model.device) for name, value in inputs.items() if name in self._reads}
        output = self.model(**read)
        sizes = torch.tensor([[image.height, image.width] for image in items])
        found = self.processor.post_process_object_detection(output, threshold=parameters.threshold, target_sizes=sizes)
        return [self._entries(one) for one in found]

    def _entries(self, found: Any) -> list[dict[str, Any]]:
        names = self.model.config.id2label
        return [
            {
                "score": score,
                "label": names[label],
                "box": dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)),
            }
            for score, label, box in zip(
                found["scores"].tolist(), found["labels"].tolist(), found["boxes"].int().tolist(), strict=True
            )
        ]
