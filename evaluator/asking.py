"""One question to a model, and what came of it as a prediction."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import replace

import grpc

from evaluator.answering import Answer, Identity, ModelChangedError, Question, identity_of
from evaluator.pacing import GivenUpError
from evaluator.records import Prediction, Sample, TaskKind
from evaluator.reuse import EarlierAnswers, words_sha256
from evaluator.sharing import Share
from evaluator.wording import put_into_words
from hooke import errors
from hooke.aio import AsyncClient
from hooke.types import (
    AnswerOutcome,
    AskResult,
    ClassifyResult,
    CountResult,
    FinishReason,
    SampleOutcome,
    SegmentResult,
    Task,
)

Result = SegmentResult | CountResult | ClassifyResult | AskResult

MOST_TRIES = 3
"""Times that one sample may meet a model that goes away, before it is taken to be the sample's fault."""
MOST_REFUSALS = 100
"""Times that one sample may be told to come back later; between them the model answers others."""

MODEL_TASKS = {
    TaskKind.SEGMENTATION: Task.SEGMENT,
    TaskKind.COUNTING: Task.COUNT,
    TaskKind.CLASSIFICATION: Task.CLASSIFY,
    TaskKind.VQA: Task.ASK,
}
"""What a model must be able to do for each kind of task."""

_OUTCOMES = {
    AnswerOutcome.ANSWERED: SampleOutcome.SCORED,
    AnswerOutcome.ABSTAINED: SampleOutcome.ABSTAINED,
    AnswerOutcome.UNPARSED: SampleOutcome.UNPARSED,
}
"""What the outcome of an answer makes of a sample; one that only newer services know cannot be scored."""
_REFUSALS = (
    errors.QueueFullError,
    errors.ModelLoadingError,
    errors.DrainingError,
    errors.UpstreamRateLimitedError,
)
"""The model did not look at the request and asks for it later."""
_PASSING = (errors.UnavailableError, errors.ResourceExhaustedError, errors.ImageNotFoundError)
"""Another call may do better. Beside refusals: whether the sample or the model is to blame is not known."""
_LASTING = (errors.OutOfMemoryError, errors.UpstreamQuotaExhaustedError)
"""Resources that are exhausted for longer than a run waits."""
_ABANDONED = grpc.StatusCode.CANCELLED.name
"""What a server says that ends before its calls do; a call that this side cancels raises CancelledError."""


class Asker:
    """Asks one model of one run.

    Args:
        client: reaches the models; makes each call once and fails at once where nobody listens.
        share: of the run in asking the model.
        timeout_s: deadline of each call.
        identity: what the model must be; None: whatever the first answer says.
        most_failed: samples that may fail before the model is asked nothing more; None: all.
        earlier: what other runs have had of it; None: that is not used.
    """

    def __init__(
        self,
        client: AsyncClient,
        share: Share,
        timeout_s: float,
        identity: Identity | None,
        most_failed: int | None,
        earlier: EarlierAnswers | None,
    ) -> None:
        self._client = client
        self._share = share
        self._timeout_s = timeout_s
        self._identity = identity
        self._most_failed = most_failed
        self._earlier = earlier
        self._failed = 0

    @property
    def stopped(self) -> bool:
        """True if nothing more is asked of the model in this run."""
        return self._share.stopped

    async def ask(self, question: Question, sample: Sample, attempt: int) -> Answer:
        """Ask until there is an answer or no hope of one; a bounded number of times.

        Raises:
            StoppedError: nothing more is asked; nothing is known of the sample.
            ModelChangedError: somebody else answered.
        """
        known = None
        if self._earlier is not None and question.repeat == 0:
            known = await self._earlier.find(question.spec, sample)
        if known is not None:
            self._check(question.model, identity_of(known.prediction))
            return known
        words = "" if sample.inquiry is None else put_into_words(sample, question.spec.prompt)
        share, pacer = self._share, self._share.pacer
        tries = refusals = 0
        while True:
            try:
                turn = await share.turn()
            except GivenUpError as error:
                return self._failure(question, sample, attempt, error.cause)
            sent = time.monotonic()
            try:
                result = await self._call(question, sample, words)
            except errors.HookeError as error:
                passing = _may_pass(error)
                if passing or isinstance(error, errors.DeadlineExceededError):
                    pacer.failed(turn, error)
                else:
                    pacer.alive()
                refused = isinstance(error, _REFUSALS)
                refusals += refused
                # While the model fails for everybody, a failure says nothing of the sample; once it has lived
                # through others and failed at this one again, it does: it may be the last one that is left.
                tries += not refused and (not turn.probing or tries == MOST_TRIES - 1)
                if not passing or tries >= MOST_TRIES or refusals >= MOST_REFUSALS:
                    return self._failure(question, sample, attempt, error)
            else:
                latency_s = time.monotonic() - sent
                waited_s = result.cost.total_s - result.cost.compute_s
                pacer.answered(waited_s=waited_s, compute_s=result.cost.compute_s)
                answer = _answer(question, sample, words, attempt, result, latency_s)
                share.pay(_price(answer.prediction))
                self._check(question.model, identity_of(answer.prediction))
                return answer
            finally:
                share.done()

    async def _call(self, question: Question, sample: Sample, words: str) -> Result:
        spec = question.spec
        if sample.inquiry is not None:
            return await self._client.ask(
                [sample.image, *sample.further_images],
                words,
                model=question.model,
                timeout_s=self._timeout_s,
            )
        if spec.kind is TaskKind.CLASSIFICATION:
            return await self._client.classify(
                sample.image,
                model=question.model,
                labels=spec.labels,
                examples=question.examples,
                prompt=spec.wording,
                timeout_s=self._timeout_s,
            )
        if spec.kind is TaskKind.COUNTING:
            return await self._client.count(
                sample.image,
                model=question.model,
                expected_diameter_px=spec.expected_diameter_px,
                expected_diameter_um=spec.expected_diameter_um,
                pixel_size=sample.pixel_size,
                prompt=spec.wording,
                timeout_s=self._timeout_s,
            )
        return await self._client.segment(
            sample.image,
            model=question.model,
            expected_diameter_px=spec.expected_diameter_px,
            expected_diameter_um=spec.expected_diameter_um,
            pixel_size=sample.pixel_size,
            timeout_s=self._timeout_s,
        )

    def _check(self, model: str, now: Identity) -> None:
        if self._identity is None:
            self._identity = now
        elif now != self._identity:
            raise ModelChangedError(model, self._identity, now)

    def count_failure(self) -> None:
        """Note that a sample failed, wherever it was asked; with too many of them, nothing more is asked."""
        self._failed += 1
        if self._most_failed is not None and self._failed > self._most_failed:
            self._share.stop(f"{self._failed} of its samples failed, {self._most_failed} may")

    def _failure(self, question: Question, sample: Sample, attempt: int, error: errors.HookeError) -> Answer:
        self.count_failure()
        return _failure(question, sample, attempt, error)


def _may_pass(error: errors.HookeError) -> bool:
    """True if another call may do better."""
    if isinstance(error, _LASTING):
        return False
    return isinstance(error, _PASSING) or error.metadata.get("code") == _ABANDONED


def _price(prediction: Prediction) -> int | None:
    """Millionths of a US dollar that an answer cost; None: somebody charges an unknown price."""
    return None if prediction.price_missing else prediction.cost_micro_usd or 0


def unreadable(question: Question, sample: Sample, attempt: int) -> Answer:
    """What becomes of a sample that cannot be read: it fails, and no model is asked."""
    return _failure(question, sample, attempt, errors.ImageUnreadableError(sample.unreadable))


def _failure(question: Question, sample: Sample, attempt: int, error: errors.HookeError) -> Answer:
    return Answer(
        Prediction(
            task=question.spec.name,
            model=question.model,
            sample_id=sample.sample_id,
            outcome=SampleOutcome.FAILED,
            # A server of another kind, or of a later version, has words of its own.
            error_reason=error.reason
            or error.metadata.get("reason")
            or error.metadata.get("code", "UNKNOWN"),
            error_message=error.message,
            attempt=attempt,
            repeat=question.repeat,
        )
    )


def _answer(
    question: Question,
    sample: Sample,
    words: str,
    attempt: int,
    result: Result,
    latency_s: float,
) -> Answer:
    usage = result.cost.token_usage
    prediction = Prediction(
        task=question.spec.name,
        model=question.model,
        sample_id=sample.sample_id,
        outcome=SampleOutcome.SCORED,
        provenance=dataclasses.asdict(result.provenance),
        latency_s=latency_s,
        queue_s=result.cost.queue_s,
        compute_s=result.cost.compute_s,
        attempt=attempt,
        repeat=question.repeat,
        input_token_count=None if usage is None else usage.input_token_count,
        output_token_count=None if usage is None else usage.output_token_count,
        cost_micro_usd=None if usage is None else usage.cost_micro_usd,
        price_missing=usage is not None and usage.price_missing,
    )
    if isinstance(result, SegmentResult):
        scores = tuple(instance.score for instance in result.instances if instance.score is not None)
        whole = len(scores) == len(result.instances)
        return Answer(replace(prediction, scores=scores if whole else None), result.labels)
    if isinstance(result, AskResult):
        truncated = result.finish_reason is FinishReason.LENGTH
        provenance = {**prediction.provenance, "words_sha256": words_sha256(words)}
        return Answer(replace(prediction, written=result.text, truncated=truncated, provenance=provenance))
    if result.written is not None:
        prediction = replace(
            prediction,
            written=result.written.text,
            truncated=result.written.finish_reason is FinishReason.LENGTH,
            stated_confidence=result.written.stated_confidence,
            error_message=result.written.unparsed_reason,
        )
    outcome = _OUTCOMES.get(result.outcome, SampleOutcome.UNPARSED)
    if isinstance(result, CountResult):
        return Answer(replace(prediction, outcome=outcome, count=result.count))
    probabilities = dict(result.probabilities) or None
    return Answer(replace(prediction, outcome=outcome, label=result.label, probabilities=probabilities))
