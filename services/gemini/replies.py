"""What Gemini answered: the pieces of a reply put together, and what its ending means."""

from __future__ import annotations

from google.genai.types import Candidate, GenerateContentResponse

from hooke import errors
from hooke.types import FinishReason, TokenUsage
from runtime.provider_model import ProviderReply
from runtime.tasks import Emitter
from services.gemini.errors import garbled

_ENDINGS = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "CONTINUATION": FinishReason.LENGTH,
}
"""Endings with an answer. "CONTINUATION" is a limit of the provider on one reply."""

_FAULTS = {
    "FINISH_REASON_UNSPECIFIED",
    "MALFORMED_RESPONSE",
    "MALFORMED_FUNCTION_CALL",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
    "NO_IMAGE",
    "IMAGE_OTHER",
}
"""Endings that are the provider's fault; another try may go better. All that stand in neither table, also
those of the future, are matters of content: "SAFETY", "RECITATION", "PROHIBITED_CONTENT" and so on."""


class Reply:
    """A reply of Gemini: one piece if it came whole, many if it was streamed.

    Args:
        emit: takes each piece of text as it arrives.
    """

    def __init__(self, emit: Emitter | None = None) -> None:
        self._emit = emit
        self._texts: list[str] = []
        self._ending = ""
        self._blocked = ""
        self.usage: TokenUsage | None = None
        """Tokens, without their price; None where the provider did not count."""
        self.model_version: str | None = None
        """The model that answered; the provider may have asked another one than was named."""

    def add(self, piece: GenerateContentResponse) -> None:
        """Take the next piece; counts stand for all that came so far."""
        self.model_version = piece.model_version or self.model_version
        if piece.prompt_feedback is not None and piece.prompt_feedback.block_reason is not None:
            self._blocked = piece.prompt_feedback.block_reason.value
        if (counts := piece.usage_metadata) is not None:
            self.usage = TokenUsage(
                input_token_count=counts.prompt_token_count or 0,
                output_token_count=(counts.candidates_token_count or 0) + (counts.thoughts_token_count or 0),
                cached_input_token_count=counts.cached_content_token_count or 0,
            )
        if piece.candidates:
            self._take(piece.candidates[0])

    def _take(self, candidate: Candidate) -> None:
        if candidate.finish_reason is not None:
            self._ending = candidate.finish_reason.value
        for part in (candidate.content.parts if candidate.content else None) or ():
            if part.text and not part.thought:
                self._texts.append(part.text)
                if self._emit is not None:
                    self._emit(part.text)

    @property
    def text(self) -> str:
        """All that was written, without the model's thoughts."""
        return "".join(self._texts)

    @property
    def finish_reason(self) -> FinishReason:
        """Why the text ends where it ends.

        Raises:
            UpstreamRefusedError: the provider blocked the question or the answer.
            UpstreamFailedError: there is no answer, or it broke off.
        """
        if self._blocked:
            raise _refused(f"Gemini blocked the question ({self._blocked})", self._blocked)
        if self._ending in _ENDINGS:
            return _ENDINGS[self._ending]
        if self._ending in _FAULTS:
            raise errors.UpstreamFailedError(f"Gemini could not finish its answer ({self._ending})")
        if self._ending:
            raise _refused(f"Gemini blocked its answer ({self._ending})", self._ending)
        if self._texts:
            raise errors.UpstreamFailedError("Gemini's answer broke off before its end")
        if self.usage is not None or self.model_version is not None:
            raise errors.UpstreamRefusedError("Gemini gave no answer, and does not say why")
        raise garbled()

    def finished(self) -> ProviderReply:
        """The whole reply; raises as `finish_reason`."""
        return ProviderReply(self.text, self.finish_reason, self.model_version or "", self.usage)


def _refused(message: str, reason: str) -> errors.UpstreamRefusedError:
    return errors.UpstreamRefusedError(message, metadata={"providerReason": reason})
