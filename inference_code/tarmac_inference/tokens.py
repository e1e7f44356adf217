"""token-classification: the entities in a text, token by token or grouped. Called by `registry`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from .encoders import EncoderTask
from .payloads import Payload
from .tasks import as_text
from .windows import windows_of


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    aggregation_strategy: Literal["none", "simple", "first", "average", "max"] = "none"
    ignore_labels: tuple[str, ...] = ("O",)


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token of a text with the scores of its labels."""

    scores: tuple[float, ...]
    index: int
    word: str
    start: int
    end: int
    is_subword: bool


@dataclass(frozen=True, kw_only=True)
class Entity:
    """A label over one token or one word."""

    label: str
    score: float
    tokens: tuple[Token, ...]


class TokenClassification(EncoderTask):
    """A token classifier."""

    name = "token-classification"
    parameters_type = Parameters
    suffixes = ("ForTokenClassification",)
    auto_class = "AutoModelForTokenClassification"

    def parse_item(self, value: Any, *, field: str) -> str:
        """A string."""
        return as_text(value, field=field)

    def sample(self) -> Payload:
        """Two lengths at once, as a batch brings them."""
        return {"inputs": ["ready", "are you ready?"]}

    def answer(self, items: Sequence[str], parameters: Parameters) -> list[list[dict[str, Any]]]:
        """Find the entities of each text."""
        return [self._found(tokens, parameters) for tokens in self._tokens(items)]

    def _tokens(self, texts: Sequence[str]) -> list[list[Token]]:
        """Score every token of every text; long texts are read in windows that overlap."""
        tokens: list[list[Token]] = [[] for _ in texts]
        for window, logits in windows_of(self.encoder, texts):
            scores = logits.float().softmax(-1).tolist()
            for position in window.kept:
                start, end = window.offsets[position]
                word, is_subword = self._word(window.ids[position], texts[window.item], start, end)
                tokens[window.item].append(
                    Token(
                        scores=tuple(scores[position]),
                        index=window.first + position,
                        word=word,
                        start=start,
                        end=end,
                        is_subword=is_subword,
                    )
                )
        return tokens

    def _word(self, token_id: int, text: str, start: int, end: int) -> tuple[str, bool]:
        """The token as it is written, and whether it goes on with the word before it."""
        tokenizer = self.encoder.tokenizer
        word, written = tokenizer.convert_ids_to_tokens(token_id), text[start:end]
        if token_id == tokenizer.unk_token_id:
            return written, False
        if getattr(tokenizer.backend_tokenizer.model, "continuing_subword_prefix", None):
            return word, len(word) != len(written)
        return word, start > 0 and " " not in text[start - 1 : start + 1]

    def _found(self, tokens: Sequence[Token], parameters: Parameters) -> list[dict[str, Any]]:
        strategy, ignored = parameters.aggregation_strategy, parameters.ignore_labels
        if strategy == "none":
            singles = (self._single(token) for token in tokens)
            return [_token_entry(entity) for entity in singles if entity.label not in ignored]
        words = _words(tokens) if strategy != "simple" else [[token] for token in tokens]
        entities = [self._labelled(word, strategy) for word in words]
        groups = (self._group_entry(group) for group in _grouped(entities))
        return [entry for entry in groups if entry["entity_group"] not in ignored]

    def _single(self, token: Token) -> Entity:
        best = max(range(len(token.scores)), key=token.scores.__getitem__)
        return Entity(label=self._label(best), score=token.scores[best], tokens=(token,))

    def _label(self, index: int) -> str:
        return str(self.encoder.model.config.id2label[index])

    def _labelled(self, word: Sequence[Token], strategy: str) -> Entity:
        """Label a word by its first token, by its surest one, or by the mean over all."""
        if strategy == "average":
            means = tuple(sum(column) / len(word) for column in zip(*(token.scores for token in word), strict=True))
            return replace(self._single(replace(word[0], scores=means)), tokens=tuple(word))
        chosen = word[0] if strategy != "max" else max(word, key=lambda token: max(token.scores))
        return replace(self._single(chosen), tokens=tuple(word))

    def _group_entry(self, group: Sequence[Entity]) -> dict[str, Any]:
        tokens = [token for entity in group for token in entity.tokens]
        return {
            "entity_group": _split_label(group[0].label)[1],
            "score": sum(entity.score for entity in group) / len(group),
            "word": self.encoder.tokenizer.convert_tokens_to_string([token.word for token in tokens]),
            "start": tokens[0].start,
            "end": tokens[-1].end,
        }


def _token_entry(entity: Entity) -> dict[str, Any]:
    (token,) = entity.tokens
    return {
        "entity": entity.label,
        "score": entity.score,
        "index": token.index,
        "word": token.word,
        "start": token.start,
        "end": token.end,
    }


def _words(tokens: Iterable[Token]) -> list[list[Token]]:
    words: list[list[Token]] = []
    for token in tokens:
        if token.is_subword and words:
            words[-1].append(token)
        else:
            words.append([token])
    return words


def _split_label(label: str) -> tuple[str, str]:
    """B-PER is the beginning of PER; a label without a prefix is inside its own kind."""
    prefix, _, rest = label.partition("-")
    return (prefix, rest) if prefix in ("B", "I") and rest else ("I", label)


def _grouped(entities: Iterable[Entity]) -> list[list[Entity]]:
    """Neighbours of one kind belong together, until a B- begins the next."""
    groups: list[list[Entity]] = []
    for entity in entities:
        prefix, kind = _split_label(entity.label)
        if groups and _split_label(groups[-1][-1].label)[1] == kind and prefix != "B":
            groups[-1].append(entity)
        else:
            groups.append([entity])
    return groups
