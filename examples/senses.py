"""Tiny models with random weights that see, hear or read tables. Called by `variants`."""

import json
import string
from pathlib import Path
from typing import Any

from examples.encoders import tokenizer
from examples.saving import save

RATE = 16_000
SPEAKERS = {0: "cat", 1: "dog", 2: "bird"}


def _image_processor(kind: str, **options: Any) -> Any:
    """An image processor that needs no torchvision: its own class from transformers 5 on."""
    import transformers

    return (getattr(transformers, f"{kind}Pil", None) or getattr(transformers, kind))(**options)


def _labels() -> dict[str, Any]:
    return {"id2label": SPEAKERS, "label2id": {name: index for index, name in SPEAKERS.items()}}


def _vision_options() -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "patch_size": 8,
        "initializer_range": 0.3,
    }


def vision(directory: Path) -> None:
    """A ViT that tells three kinds of images of 32 x 32 pixels apart, at random."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.ViTConfig(**_vision_options(), **_labels(), image_size=32)
    processor = _image_processor("ViTImageProcessor", size={"height": 32, "width": 32})
    save(transformers.ViTForImageClassification(config), processor, directory)


def detector(directory: Path) -> None:
    """A YOLOS that finds three kinds of things, at random."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.YolosConfig(**_vision_options(), **_labels(), image_size=[32, 32], num_detection_tokens=5)
    processor = _image_processor("YolosImageProcessor", size={"shortest_edge": 32, "longest_edge": 32})
    save(transformers.YolosForObjectDetection(config), processor, directory)


def captioner(directory: Path) -> None:
    """A ViT with a GPT-2 that writes about what it sees."""
    import torch
    import transformers

    torch.manual_seed(0)
    words = tokenizer()
    eyes = transformers.ViTConfig(**_vision_options(), image_size=32)
    hand = transformers.GPT2Config(
        vocab_size=len(words),
        n_positions=64,
        n_embd=32,
        n_layer=2,
        n_head=4,
        bos_token_id=words.cls_token_id,
        eos_token_id=None,
        pad_token_id=words.pad_token_id,
        initializer_range=0.3,
        add_cross_attention=True,
    )
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(eyes, hand)
    config.decoder_start_token_id = words.cls_token_id
    config.pad_token_id = words.pad_token_id
    save(transformers.VisionEncoderDecoderModel(config=config), words, directory)
    _image_processor("ViTImageProcessor", size={"height": 32, "width": 32}).save_pretrained(directory)


def _hearing_options() -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "conv_dim": (32, 32, 32),
        "conv_stride": (5, 8, 8),
        "conv_kernel": (10, 8, 8),
        "num_feat_extract_layers": 3,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
        "initializer_range": 0.3,
    }


def _hearing() -> Any:
    import transformers

    return transformers.Wav2Vec2FeatureExtractor(sampling_rate=RATE)  # type: ignore[no-untyped-call]


def hearer(directory: Path) -> None:
    """A Wav2Vec2 that tells three kinds of sounds apart, at random."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(**_hearing_options(), **_labels())
    save(transformers.Wav2Vec2ForSequenceClassification(config), _hearing(), directory)


def speller(directory: Path) -> None:
    """A Wav2Vec2 that writes a letter for each moment of what it hears."""
    import torch
    import transformers

    torch.manual_seed(0)
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *string.ascii_uppercase]
    directory.mkdir(parents=True, exist_ok=True)
    vocabulary = directory / "vocab.json"
    vocabulary.write_text(json.dumps({letter: index for index, letter in enumerate(letters)}), encoding="utf-8")
    words = transformers.Wav2Vec2CTCTokenizer(str(vocabulary))  # type: ignore[no-untyped-call]
    config = transformers.Wav2Vec2Config(**_hearing_options(), vocab_size=len(letters), pad_token_id=0)
    save(transformers.Wav2Vec2ForCTC(config), words, directory)
    _hearing().save_pretrained(directory)


def whisperer(directory: Path) -> None:
    """A Whisper that hears thirty seconds at a time."""
    import torch
    import transformers

    torch.manual_seed(0)
    words = tokenizer()
    config = transformers.WhisperConfig(
        vocab_size=len(words),
        num_mel_bins=16,
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_target_positions=64,
        init_std=0.3,
        bos_token_id=words.cls_token_id,
        eos_token_id=words.sep_token_id,
        pad_token_id=words.pad_token_id,
        decoder_start_token_id=words.cls_token_id,
    )
    save(transformers.WhisperForConditionalGeneration(config), words, directory)
    ears = transformers.WhisperFeatureExtractor(feature_size=16, sampling_rate=RATE)  # type: ignore[no-untyped-call]
    ears.save_pretrained(directory)


def table_reader(directory: Path) -> None:
    """A TAPAS that points at cells, and says whether to count or to add them."""
    import torch
    import transformers

    torch.manual_seed(0)
    directory.mkdir(parents=True, exist_ok=True)
    vocabulary = directory / "vocab.txt"
    vocabulary.write_text("\n".join([*_by_id(tokenizer()), "[EMPTY]"]), encoding="utf-8")
    words = transformers.TapasTokenizer(str(vocabulary), model_max_length=128)
    config = transformers.TapasConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.3,
        num_aggregation_labels=3,
        aggregation_labels={0: "NONE", 1: "SUM", 2: "COUNT"},
    )
    save(transformers.TapasForQuestionAnswering(config), words, directory)


def _by_id(words: Any) -> list[str]:
    return [token for token, _ in sorted(words.get_vocab().items(), key=lambda pair: pair[1])]
