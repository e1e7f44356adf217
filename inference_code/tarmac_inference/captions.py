"""image-to-text: an image, described. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .images import as_image, grey_square
from .loading import load_image_processor, load_model, load_tokenizer
from .parameters import bounded
from .payloads import Payload
from .sampling import generate
from .tasks import Task

_DEFAULT_NEW_TOKENS = 50


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    max_new_tokens: int = bounded(_DEFAULT_NEW_TOKENS, least=1, most=4096)
    num_beams: int | None = bounded(None, least=1, most=16)


class ImageToText(Task):
    """A model that sees and writes."""

    name = "image-to-text"
    parameters_type = Parameters
    batch_items = 8

    def __init__(self, model: Any, processor: Any, tokenizer: Any) -> None:
        self.model = model
        self.processor = processor
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, model_dir: Path) -> Task:
        """Load weights, image processor and tokenizer."""
        suffixes = ("VisionEncoderDecoderModel", "BlipForConditionalGeneration", "GitForCausalLM")
        model = load_model(model_dir, suffixes=suffixes, auto_class="AutoModelForImageTextToText")
        return cls(model, load_image_processor(model_dir), load_tokenizer(model_dir))

    def parse_item(self, value: Any, *, field: str) -> Any:
        """The bytes of an image file, or the same in base64."""
        return as_image(value, field=field)

    def sample(self) -> Payload:
        """One grey square, in two tokens."""
        return {"inputs": [grey_square()], "parameters": {"max_new_tokens": 2}}

    def answer(self, items: Sequence[Any], parameters: Parameters) -> list[list[dict[str, str]]]:
        """Describe each image: one text, in a list as pipelines answer."""
        pixels = self.processor(images=list(items), return_tensors="pt")["pixel_values"]
        options: dict[str, Any] = {"max_new_tokens": parameters.max_new_tokens}
        if parameters.num_beams is not None:
            options["num_beams"] = parameters.num_beams
        output = generate(self.model, {"pixel_values": pixels}, options)
        texts = self.tokenizer.batch_decode(output, skip_special_tokens=True)
        return [[{"generated_text": text.strip()}] for text in texts]
