"""text-generation behind the server: requests join the batch that is being written at any step. Called by `serving`.

What `decoding` cannot share, beams above all, is left to transformers' own `generate`, a batch at a time.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from . import answers, tokenstream
from .backends import Outcome, Request, TaskBackend, as_fault, attempt
from .caches import Style
from .choosing import read_choice
from .decoding import Decoder, Draft, check_numbers, find_style
from .faults import CallerFault, Fault, OutOfMemory
from .generation import Prompt, TextGeneration
from .media import EVENTS, choose
from .payloads import decode
from .sampling import Parameters
from .shortages import give_back
from .spelling import Spelling
from .tasks import Job

_SHARED = "shared"


@dataclass(eq=False, slots=True, kw_only=True)
class _Line:
    """One answer of a request: its draft, and its text where that is needed while it is being written."""

    request: Request
    prompt: Prompt
    draft: Draft
    spelling: Spelling | None

    @property
    def is_done(self) -> bool:
        return self.draft.has_ended or (self.spelling is not None and self.spelling.is_stopped)


@dataclass(slots=True)
class _Desk:
    """What is being written, and what waits for room."""

    decoder: Decoder
    room: int
    """Lines that may be written at once: fewer after memory has ended, and one more for each that comes to its end."""
    waiting: deque[_Line] = field(default_factory=deque)
    lines: dict[int, _Line] = field(default_factory=dict)
    """By the identity of the draft."""
    unfinished: dict[int, list[_Line]] = field(default_factory=dict)
    """By the identity of the request: all its lines."""


class GenerationBackend(TaskBackend):
    """Writes the answers of many requests together, one token each a step."""

    def __init__(self, task: TextGeneration) -> None:
        super().__init__(task)
        self._writer = task
        self._style: Style | None = None
        self._desk = self._new_desk()

    @property
    def running_items(self) -> int:
        """Answers that are being written or wait for room."""
        return len(self._desk.lines) + len(self._desk.waiting)

    def warm_up(self) -> None:
        """Answer the task's own sample; find out whether the architecture can share. Raises what the model raises."""
        super().warm_up()
        prompts = [self._writer.parse_item(text, field="inputs").ids for text in ("ready", "are you ready?")]
        with self.no_gradients():
            check_numbers(self._writer.model, prompts[0])
            self._style = find_style(self._writer.model, self._writer.pad, prompts)
        self._desk = self._new_desk()

    def prepare(self, body: bytes, content_type: str | None, accept: str | None) -> Request:
        """Parse one request. Raises CallerFault."""
        job = self._writer.parse(decode(body, content_type))
        is_stream = choose(accept, (*answers.OFFERED, EVENTS)) == EVENTS
        parameters: Parameters = job.parameters
        if is_stream and (len(job.items) != 1 or parameters.copies != 1):
            raise CallerFault("a stream answers one input, once", field="inputs")
        if is_stream and (parameters.num_beams or 1) > 1:
            raise CallerFault("a stream cannot try several beams", field="parameters.num_beams")
        is_shared = self._style is not None and read_choice(parameters, self._writer.model) is not None
        key = (_SHARED,) if is_shared else None if is_stream else parameters
        return Request(work=job, key=key, size=len(job.items), accept=accept, is_stream=is_stream)

    def answer(self, requests: Sequence[Request]) -> Sequence[Outcome | None]:
        """Begin what can share; answer the rest at once."""
        if requests[0].key == (_SHARED,):
            return [self._begin(request) for request in requests]
        if requests[0].is_stream:
            return [attempt(lambda request=request: self._stream_alone(request)) for request in requests]  # type: ignore[misc]
        return super().answer(requests)

    def step(self) -> Sequence[tuple[Request, Outcome]]:
        """Write one more token of everything; let those that wait join where there is room."""
        desk = self._desk
        finished: list[tuple[Request, Outcome]] = []
        with self.no_gradients():
            lines = list(desk.lines.values())
            if lines:
                fault = _fault_of(desk.decoder.step)
                if fault is None:
                    finished += self._after(desk, lines)
                else:  # one of them may be to blame for all: each by itself
                    desk.decoder = self._new_decoder()
                    desk.lines.clear()
                    most = len(lines) // 2 if isinstance(fault, OutOfMemory) else len(lines)
                    finished += self._join_apart(desk, lines, most=max(most, 1))
            finished += self._join(desk)
        return finished

    def forget(self, request: Request) -> None:
        """Drop a request that is being written."""
        self._drop(self._desk, request)

    def reset(self) -> None:
        """Begin with nothing."""
        self._desk = self._new_desk()

    def _new_desk(self) -> _Desk:
        return _Desk(self._new_decoder(), room=self.batch_items)

    def _new_decoder(self) -> Decoder:
        return Decoder(self._writer.model, self._writer.pad, self._style or "object")

    def _begin(self, request: Request) -> Outcome | None:
        lines = list(self._lines(request))
        if not lines:
            return attempt(lambda: self.render(request, []))
        self._desk.unfinished[id(request)] = lines
        self._desk.waiting.extend(lines)
        return None

    def _lines(self, request: Request) -> Iterator[_Line]:
        import torch

        job: Job = request.work
        parameters: Parameters = job.parameters
        choice = read_choice(parameters, self._writer.model)
        assert choice is not None  # noqa: S101  # the key says so
        for prompt in job.items:
            for copy in range(parameters.copies):
                generator = None
                if parameters.seed is not None:
                    generator = torch.Generator(self._writer.model.device).manual_seed(parameters.seed + copy)
                draft = Draft(
                    prompt=prompt.ids,
                    budget=self._writer.budget(prompt, parameters),
                    choice=choice,
                    generator=generator,
                    wants_logprob=request.is_stream,
                )
                is_spelt = request.is_stream or bool(parameters.stops)
                spelling = Spelling(self._writer.tokenizer, prompt.ids, parameters.stops) if is_spelt else None
                yield _Line(request=request, prompt=prompt, draft=draft, spelling=spelling)

    def _join(self, desk: _Desk) -> list[tuple[Request, Outcome]]:
        room = desk.room - len(desk.lines)
        joining = [desk.waiting.popleft() for _ in range(min(room, len(desk.waiting)))]
        if not joining:
            return []
        if _fault_of(lambda: desk.decoder.join([line.draft for line in joining])) is not None:
            return self._join_apart(desk, joining, most=len(joining))
        desk.lines.update({id(line.draft): line for line in joining})
        return self._after(desk, joining)

    def _join_apart(self, desk: _Desk, lines: Sequence[_Line], *, most: int) -> list[tuple[Request, Outcome]]:
        """Have lines read one by one, with all that has been written of them; what finds no memory waits for room."""
        finished: list[tuple[Request, Outcome]] = []
        joined: list[_Line] = []
        for place, line in enumerate(lines):
            if id(line.request) not in desk.unfinished:  # it has failed with another of its inputs
                continue
            fault = None
            if place < most:
                fault = _fault_of(lambda line=line: desk.decoder.join([line.draft]))  # type: ignore[misc]
            if fault is None and place < most:
                joined.append(line)
            elif fault is not None and not (isinstance(fault, OutOfMemory) and desk.decoder.drafts):
                finished += self._fail(desk, [line], fault)
            else:
                self._put_back(desk, lines[place:])
                break
        joined = [line for line in joined if id(line.request) in desk.unfinished]
        desk.lines.update({id(line.draft): line for line in joined})
        return [*finished, *self._after(desk, joined)]

    def _after(self, desk: _Desk, lines: Sequence[_Line]) -> list[tuple[Request, Outcome]]:
        """Pass the new tokens on; let go of what has come to its end."""
        gone: list[Request] = []
        for line in lines:
            text = line.spelling.add(line.draft.added[-1]) if line.spelling else ""
            if line.request.is_stream and not line.request.emit(self._event(line, text)):
                gone.append(line.request)
        done = [line for line in lines if line.is_done]
        fault = _fault_of(lambda: desk.decoder.leave([line.draft for line in done]))
        for line in done:
            desk.lines.pop(id(line.draft), None)
        if fault is not None:  # no room even to make room: what is left is read anew
            desk.decoder = self._new_decoder()
            left = list(desk.lines.values())
            desk.lines.clear()
            self._put_back(desk, left)
        desk.room = min(desk.room + len(done), self.batch_items)
        requests = {id(line.request): line.request for line in done}
        finished = []
        for key, request in requests.items():
            parts = desk.unfinished[key]
            if all(part.is_done for part in parts):
                del desk.unfinished[key]
                finished.append((request, attempt(lambda request=request, parts=parts: self._whole(request, parts))))  # type: ignore[misc]
        for request in gone:
            self._drop(desk, request)
        return finished

    def _put_back(self, desk: _Desk, lines: Sequence[_Line]) -> None:
        """Let lines wait, before all others, for those that are being written to come to their end."""
        desk.waiting.extendleft(line for line in reversed(lines) if id(line.request) in desk.unfinished)
        desk.room = max(1, len(desk.decoder.drafts))

    def _fail(self, desk: _Desk, lines: Sequence[_Line], fault: Fault) -> list[tuple[Request, Outcome]]:
        requests = {id(line.request): line.request for line in lines}
        for request in requests.values():
            self._drop(desk, request)
        return [(request, fault) for request in requests.values()]

    def _drop(self, desk: _Desk, request: Request) -> None:
        parts = desk.unfinished.pop(id(request), [])
        desk.decoder.leave([line.draft for line in parts])
        for line in parts:
            desk.lines.pop(id(line.draft), None)
        desk.waiting = deque(line for line in desk.waiting if line.request is not request)

    def _whole(self, request: Request, parts: Sequence[_Line]) -> tuple[bytes, str]:
        if request.is_stream:
            return b"", EVENTS
        copies = request.work.parameters.copies
        texts = [self._text(line) for line in parts]
        return self.render(request, [texts[place : place + copies] for place in range(0, len(texts), copies)])

    def _text(self, line: _Line) -> str:
        return self._writer.text(line.prompt, line.draft.added, line.request.work.parameters.stops)

    def _event(self, line: _Line, text: str) -> bytes:
        draft = line.draft
        end = None
        if line.is_done and line.spelling is not None:
            text += line.spelling.finish()
            ended_itself = draft.added[-1] in draft.choice.end_ids
            reason = "stop_sequence" if line.spelling.is_stopped else "eos_token" if ended_itself else "length"
            end = tokenstream.End(text=self._full(line), reason=reason, tokens=len(draft.added))
        is_special = draft.added[-1] in self._writer.tokenizer.all_special_ids
        return tokenstream.token_event(
            len(draft.added), draft.added[-1], text, logprob=draft.logprob, is_special=is_special, end=end
        )

    def _full(self, line: _Line) -> str:
        """A stream gives the prompt back only to who asks for it, as text-generation servers do."""
        parameters = cast("Parameters", line.request.work.parameters)
        before = line.prompt.text if parameters.return_full_text and not line.prompt.messages else ""
        return before + self._text(line)

    def _stream_alone(self, request: Request) -> tuple[bytes, str]:
        """Stream from `generate`, for architectures that cannot share."""
        prompt: Prompt = request.work.items[0]
        with self.no_gradients():
            tokenstream.stream_generate(self._writer, prompt, request.work.parameters, request.emit)
        return b"", EVENTS


def _fault_of(work: Callable[[], object]) -> Fault | None:
    """Do something with the model, and say what went wrong; afterwards nothing keeps what it had made."""
    fault: Fault | None = None
    try:
        work()
    except Exception as error:  # noqa: BLE001  # whatever a model raises is its callers' to hear
        fault = as_fault(error)
    if isinstance(fault, OutOfMemory):
        give_back()
    return fault
