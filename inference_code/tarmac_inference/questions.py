"""question-answering: the span of a context that answers a question. Called by `registry`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .encoders import EncoderTask
from .faults import CallerFault
from .parameters import bounded
from .payloads import Payload
from .tasks import Job, as_text, kind_of

QUESTION_TOKENS = 64
WINDOW_BATCH = 64
Question = tuple[str, str]


@dataclass(frozen=True)
class Parameters:
    """What a caller may ask for."""

    top_k: int = bounded(1, least=1, most=100)
    max_answer_len: int = bounded(15, least=1, most=512)
    doc_stride: int = bounded(128, least=1, most=4096)
    max_seq_len: int = bounded(384, least=16, most=1_000_000)
    handle_impossible_answer: bool = False
    align_to_words: bool = True


@dataclass(frozen=True, kw_only=True)
class Span:
    """A possible answer: its probability within its window, and its characters in the context."""

    score: float
    start: int
    end: int


class QuestionAnswering(EncoderTask):
    """An extractive reader."""

    name = "question-answering"
    parameters_type = Parameters
    suffixes = ("ForQuestionAnswering",)
    auto_class = "AutoModelForQuestionAnswering"

    def parse_item(self, value: Any, *, field: str) -> Question:
        """{"question", "context"}."""
        if not isinstance(value, dict):
            raise CallerFault(f'it must be {{"question": ..., "context": ...}}, not {kind_of(value)}', field=field)
        for name in ("question", "context"):
            if not as_text(value.get(name), field=f"{field}.{name}").strip():
                raise CallerFault("it is empty", field=f"{field}.{name}")
        return value["question"], value["context"]

    def sample(self) -> Payload:
        """A question that its context answers."""
        return {"inputs": {"question": "Who is ready?", "context": "The model is ready."}}

    def answer(self, items: Sequence[Question], parameters: Parameters) -> list[Any]:
        """Find the best spans of each context: an object for top_k 1, else a list."""
        spans: list[list[Span]] = [[] for _ in items]
        nothing = [1.0] * len(items)
        batch = self._tokenize(items, parameters)
        owners = batch["overflow_to_sample_mapping"].tolist()
        for start in range(0, len(owners), WINDOW_BATCH):
            rows = range(start, min(start + WINDOW_BATCH, len(owners)))
            names = [name for name in self.encoder.tokenizer.model_input_names if name in batch]
            output = self.encoder.forward({name: batch[name][start : rows.stop] for name in names})
            for row in rows:
                logits = output.start_logits[row - start], output.end_logits[row - start]
                found, null = _spans(batch, row, *logits, parameters, cls_id=self.encoder.tokenizer.cls_token_id)
                spans[owners[row]].extend(found)
                nothing[owners[row]] = min(nothing[owners[row]], null)
        return [
            _best(found, null, context, parameters)
            for found, null, (_, context) in zip(spans, nothing, items, strict=True)
        ]

    def render(self, job: Job, answers: Sequence[Any]) -> Any:
        """One question is answered without a list around it."""
        return list(answers) if job.is_list else answers[0]

    def _tokenize(self, items: Sequence[Question], parameters: Parameters) -> Any:
        tokenizer = self.encoder.tokenizer
        length = min(self.encoder.max_length, parameters.max_seq_len)
        most_for_question = min(QUESTION_TOKENS, length // 2)
        questions = [_cut(tokenizer, question, most_for_question) for question, _ in items]
        room = length - most_for_question - tokenizer.num_special_tokens_to_add(pair=True)
        return tokenizer(
            questions,
            [context for _, context in items],
            padding=True,
            truncation="only_second",
            max_length=length,
            stride=max(0, min(parameters.doc_stride, room // 2)),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_tensors="pt",
        )


def _cut(tokenizer: Any, question: str, most: int) -> str:
    """Cut a question to *most* tokens, at a character between two of them."""
    offsets = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    return question if len(offsets) <= most else question[: offsets[most - 1][1]]


def _spans(
    batch: Any, row: int, start_logits: Any, end_logits: Any, parameters: Parameters, *, cls_id: int | None
) -> tuple[list[Span], float]:
    """Decode one window: its best spans, and the probability that it answers nothing (the first token as a span)."""
    import torch

    encoding = batch.encodings[row]
    is_context = torch.tensor([sequence == 1 for sequence in encoding.sequence_ids])
    # The first special token takes its share of the probability: that is where models put what has no answer.
    allowed = is_context | torch.tensor([one == cls_id for one in encoding.ids])
    if not is_context.any():
        return [], 1.0
    starts = start_logits.float().cpu().masked_fill(~allowed, -10_000.0).softmax(-1)
    ends = end_logits.float().cpu().masked_fill(~allowed, -10_000.0).softmax(-1)
    null = float(starts[0] * ends[0]) if parameters.handle_impossible_answer else 0.0
    starts, ends = starts * is_context, ends * is_context
    scores = (starts[:, None] * ends[None, :]).triu().tril(parameters.max_answer_len - 1).flatten()
    # Spans that end up as the same words are one answer: look at more of them.
    count = parameters.top_k * 2 + 10 if parameters.align_to_words else parameters.top_k
    best = scores.topk(min(count, len(scores)))
    spans = []
    for score, place in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        first, last = divmod(place, len(starts))
        if is_context[first] and is_context[last]:
            start, end = _characters(encoding, first, last, align_to_words=parameters.align_to_words)
            spans.append(Span(score=score, start=start, end=end))
    return spans, null


def _characters(encoding: Any, first: int, last: int, *, align_to_words: bool) -> tuple[int, int]:
    if align_to_words:
        first_word, last_word = encoding.token_to_word(first), encoding.token_to_word(last)
        if first_word is not None and last_word is not None:
            return encoding.word_to_chars(first_word, 1)[0], encoding.word_to_chars(last_word, 1)[1]
    return encoding.offsets[first][0], encoding.offsets[last][1]


def _best(spans: Sequence[Span], null: float, context: str, parameters: Parameters) -> Any:
    """Rank the answers; the same words found twice are one answer, as likely as both."""
    answers: dict[str, dict[str, Any]] = {}
    for span in spans:
        words = context[span.start : span.end]
        known = answers.get(words.lower())
        if known is None:
            answers[words.lower()] = {"score": span.score, "start": span.start, "end": span.end, "answer": words}
        else:
            known["score"] += span.score
    nothing = [{"score": null, "start": 0, "end": 0, "answer": ""}] if parameters.handle_impossible_answer else []
    ranked = sorted([*answers.values(), *nothing], key=lambda answer: -float(answer["score"]))[: parameters.top_k]
    return ranked[0] if len(ranked) == 1 else ranked
