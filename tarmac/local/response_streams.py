"""InvokeEndpointWithResponseStream: a model's answer, part by part, while it is being made. Called by runtime.py."""

from collections.abc import Callable, Generator
from contextlib import ExitStack

from tarmac.local.connections import PartialReply, ReplyTooSlow, ServerGone
from tarmac.local.event_frames import exception, payload_part


class ResponseStream:
    """The frames of one answer. Whoever has made one iterates over it or closes it: it holds the model server."""

    def __init__(self, held: ExitStack, reply: PartialReply, *, on_end: Callable[[bool], None]) -> None:
        """*held* is closed at the end; *on_end* is told whether the answer came whole."""
        self._held = held
        self._frames = self._framed(reply, on_end)

    def __iter__(self) -> "ResponseStream":
        return self

    def __next__(self) -> bytes:
        return next(self._frames)

    def close(self) -> None:
        """Stop reading: the model server sees its caller go, and stops too."""
        self._frames.close()
        self._held.close()

    def _framed(self, reply: PartialReply, on_end: Callable[[bool], None]) -> Generator[bytes, None, None]:
        is_whole = False
        try:
            for block in reply.blocks:
                yield payload_part(block)
            is_whole = True
        except ReplyTooSlow as exc:
            words = f"The model did not finish its answer in time: {exc}."
            yield exception("ModelStreamError", Message=words, ErrorCode="ModelInvocationTimeExceeded")
        except ServerGone as exc:
            words = f"The connection to the model broke before its answer was whole: {exc}."
            yield exception("ModelStreamError", Message=words, ErrorCode="StreamBroken")
        finally:
            on_end(is_whole)
            self._held.close()
