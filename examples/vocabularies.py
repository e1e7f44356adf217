"""WordPiece tokenizers over whatever sentences a model is made for. Called by every builder."""

import re
import string
from collections import Counter
from collections.abc import Iterable
from typing import Any

PAD, UNKNOWN, CLS, SEP, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_LENGTH = 64
"""Tokens, the special ones included."""


def word_piece_tokenizer(sentences: Iterable[str], *, size: int) -> Any:
    """Make a lower-case BERT tokenizer of at most *size* entries, as a transformers fast tokenizer."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    vocabulary = _vocabulary(sentences, size=size)
    tokenizer = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}",
        pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
        special_tokens=[(CLS, vocabulary[CLS]), (SEP, vocabulary[SEP])],
    )
    return _as_fast_tokenizer(tokenizer)


def _vocabulary(sentences: Iterable[str], *, size: int) -> dict[str, int]:
    """Special tokens, every printable character in both positions, then the most frequent words.

    Not the library's own trainer: the order of its entries changes from run to run, and with it the model's weights.
    """
    characters = [*string.ascii_lowercase, *string.digits]
    pieces = [*SPECIAL_TOKENS, *string.punctuation, *characters, *(f"##{character}" for character in characters)]
    counts = Counter(word for sentence in sentences for word in re.findall(r"[a-z]{2,}", sentence.lower()))
    words = sorted(counts, key=lambda word: (-counts[word], word))
    return {piece: index for index, piece in enumerate([*pieces, *words][:size])}


def _as_fast_tokenizer(tokenizer: Any) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        unk_token=UNKNOWN,
        cls_token=CLS,
        sep_token=SEP,
        mask_token=MASK,
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
