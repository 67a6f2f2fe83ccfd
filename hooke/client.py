"""The synchronous client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Self

from hooke import _plans, _steps
from hooke._calling import Caller
from hooke._channel import DEFAULT_ADDRESS, DEFAULT_TIMEOUT_S, Tls, new_request_id
from hooke._requests import ObjectOptions, WordOptions, turns_of
from hooke.conversations import Prompt, Turn
from hooke.errors import HookeError
from hooke.images import ImageSource, PixelSize, View
from hooke.parameters import ModelParameters, ObjectParameters, WordParameters
from hooke.streams import AnswerStream
from hooke.types import (
    AskResult,
    ClassifyResult,
    CountResult,
    Evaluation,
    EvaluationLimits,
    MaskFormat,
    ModelInfo,
    ReportFormat,
    SampleResult,
    SegmentResult,
    TaskEstimate,
)


class Client:
    """Asks one address about micrographs: a gateway, or one model's service.

    Safe to share between threads. Connects with the first call, which waits some seconds for a server;
    reconnects by itself, and then calls wait for the server until their deadline. Images above 1 MiB are put
    once, in chunks, and referred to by hash from then on. Calls that cannot do harm by repetition are
    repeated when the server is busy or restarts.

    Every method takes `timeout_s`, the seconds until its deadline, retries and uploads included, and raises
    only `hooke.errors.HookeError`, beside OSError for a file that cannot be read and TypeError for what is
    no image.

    Wherever an `image` is asked for: a path, the bytes of a file (PNG, JPEG, TIFF, OME-TIFF), a
    two-dimensional NumPy array, or a Micrograph.

    Args:
        address: host and port.
        tls: how to speak TLS; None: plain text.
        timeout_s: seconds until the deadline of every call that sets none.
        retries: False is for callers that pace themselves: only uploads are repeated, and a call fails at
            once where nobody listens.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        tls: Tls | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retries: bool = True,
    ) -> None:
        self._caller = Caller(address, tls=tls, timeout_s=timeout_s, retries=retries)
        self._known = _steps.KnownImages()

    @property
    def address(self) -> str:
        """Host and port of the server."""
        return self._caller.address

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls in flight are cancelled, later ones raise HookeError."""
        self._caller.close()

    def segment(
        self,
        image: ImageSource,
        *,
        model: str = "",
        expected_diameter_px: float | None = None,
        expected_diameter_um: float | None = None,
        mask_format: MaskFormat | str = MaskFormat.LABEL_IMAGE,
        view: View | None = None,
        parameters: ObjectParameters | None = None,
        pixel_size: PixelSize | None = None,
        timeout_s: float | None = None,
    ) -> SegmentResult:
        """Find the objects in an image.

        Args:
            image: see the class.
            model: its name; empty: the server's only or default model.
            expected_diameter_px: typical diameter of an object in pixels; None: estimated.
            expected_diameter_um: the same in micrometres; needs a known pixel size. Not both.
            mask_format: how masks come back.
            view: which plane, time and channels of a larger image.
            parameters: the model's own; those of another model are refused.
            pixel_size: overrides what the image says; micrometres.
            timeout_s: see the class.
        """
        options = ObjectOptions(
            model, expected_diameter_px, expected_diameter_um, mask_format, view, parameters, pixel_size
        )
        return self._caller.run(_plans.segment(image, options, self._known), timeout_s)

    def count(
        self,
        image: ImageSource,
        *,
        model: str = "",
        expected_diameter_px: float | None = None,
        expected_diameter_um: float | None = None,
        mask_format: MaskFormat | str = MaskFormat.NONE,
        view: View | None = None,
        prompt: Prompt | None = None,
        examples: Iterable[tuple[ImageSource, int]] = (),
        parameters: ModelParameters | None = None,
        pixel_size: PixelSize | None = None,
        timeout_s: float | None = None,
    ) -> CountResult:
        """Count the objects in an image; arguments as for `segment`, without masks unless asked for.

        Models that take words may give no answer: the count is then None. They alone read `prompt`, which
        says how the question is put into words, and `examples`, pairs of an image and its number of objects.
        """
        options = ObjectOptions(
            model, expected_diameter_px, expected_diameter_um, mask_format, view, parameters, pixel_size
        )
        plan = _plans.count(image, options, examples=examples, prompt=prompt, known=self._known)
        return self._caller.run(plan, timeout_s)

    def classify(
        self,
        image: ImageSource,
        *,
        model: str = "",
        labels: Sequence[str] = (),
        examples: Iterable[tuple[ImageSource, str]] = (),
        view: View | None = None,
        prompt: Prompt | None = None,
        parameters: WordParameters | None = None,
        timeout_s: float | None = None,
    ) -> ClassifyResult:
        """Say which class an image belongs to; models that take words may give no answer.

        Args:
            image: see the class.
            model: its name; empty: the server's only or default model.
            labels: the classes to choose from; empty: those of the examples.
            examples: pairs of an image and its class, for models that learn from them.
            view: which plane, time and channels of a larger image.
            prompt: how the question is put into words; models that take no words do not read it.
            parameters: the model's own.
            timeout_s: see the class.
        """
        plan = _plans.classify(
            image,
            model=model,
            labels=labels,
            examples=examples,
            view=view,
            prompt=prompt,
            parameters=parameters,
            known=self._known,
        )
        return self._caller.run(plan, timeout_s)

    def ask(
        self,
        images: ImageSource | Sequence[ImageSource],
        question: str,
        *,
        model: str = "",
        instructions: str = "",
        history: Sequence[Turn] = (),
        view: View | None = None,
        parameters: WordParameters | None = None,
        timeout_s: float | None = None,
    ) -> AskResult:
        """Answer a question about images in words.

        Args:
            images: one image, or a list of them; empty where the history has some.
            question: what to answer.
            model: its name; empty: the server's only or default model.
            instructions: what the model is to keep to in all it says.
            history: what was said before, the oldest first: the user's and the model's turns.
            view: which plane, time and channels of larger images; of `images`, not of those of the history.
            parameters: the model's own.
            timeout_s: see the class.
        """
        options = WordOptions(model, instructions, parameters)
        turns = turns_of(images, question, history, view)
        return self._caller.run(_plans.ask(turns, options, self._known), timeout_s)

    def stream_ask(
        self,
        images: ImageSource | Sequence[ImageSource],
        question: str,
        *,
        model: str = "",
        instructions: str = "",
        history: Sequence[Turn] = (),
        view: View | None = None,
        parameters: WordParameters | None = None,
        timeout_s: float | None = None,
    ) -> AnswerStream:
        """Answer as `ask` does, piece by piece while the model writes; see `hooke.AnswerStream`."""
        options = WordOptions(model, instructions, parameters)
        turns = turns_of(images, question, history, view)
        return AnswerStream(self._caller.messages(_plans.stream_ask(turns, options, self._known), timeout_s))

    def models(self, *, timeout_s: float | None = None) -> tuple[ModelInfo, ...]:
        """List the models, by name."""
        return self._caller.run(_plans.models(), timeout_s)

    def model(self, name: str, *, timeout_s: float | None = None) -> ModelInfo:
        """Describe one model."""
        return self._caller.run(_plans.model(name), timeout_s)

    def serving(self, service: str = "", *, timeout_s: float | None = None) -> bool | None:
        """Ask for the health of a service by its full name, or of the whole server.

        Returns None where the server does not know the service.
        """
        return self._caller.run(_plans.serving(service), timeout_s)

    def has_image(self, image: ImageSource, *, model: str = "", timeout_s: float | None = None) -> bool:
        """Say whether the server holds an image, as a file of exactly these bytes, for a model."""
        return self._caller.run(_plans.has_image(image, model), timeout_s)

    def put_image(self, image: ImageSource, *, model: str = "", timeout_s: float | None = None) -> str:
        """Put an image ahead of the requests for a model that need it; return its SHA-256."""
        return self._caller.run(_plans.put_image(image, model, self._known), timeout_s)

    def create_evaluation(
        self,
        *,
        suite_name: str | None = None,
        suite_yaml: str | None = None,
        models: Sequence[str] = (),
        data_dir: str = "",
        sample_limit: int | None = None,
        limits: EvaluationLimits | None = None,
        reuse_answers: bool = True,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> Evaluation:
        """Start an evaluation, or take an unfinished one of the same `request_id` up again.

        With more models, more tasks or a greater limit of samples, one that there is grows, finished or not:
        only what is missing is done.

        Args:
            suite_name: a suite that comes with the evaluator; or
            suite_yaml: the text of a suite file.
            models: their names; empty: every model that can do the task.
            data_dir: folder of the dataset as the evaluator sees it; empty: the suite says.
            sample_limit: most samples of each task; None: all.
            limits: what it may take; None: no limits but the evaluator's own.
            reuse_answers: use answers again that the evaluator has had to the same question by the same
                version of a model that decodes deterministically.
            request_id: 1 to 128 letters, digits, '-' and '_'; None: a new one.
            timeout_s: see the class.
        """
        request = _plans.evaluation_request(
            suite_name=suite_name,
            suite_yaml=suite_yaml,
            models=models,
            data_dir=data_dir,
            sample_limit=sample_limit,
            limits=limits,
            reuse_answers=reuse_answers,
            request_id=request_id,
        )
        return self._caller.run(_plans.create_evaluation(request), timeout_s)

    def estimate_evaluation(
        self,
        *,
        suite_name: str | None = None,
        suite_yaml: str | None = None,
        models: Sequence[str] = (),
        data_dir: str = "",
        sample_limit: int | None = None,
        limits: EvaluationLimits | None = None,
        reuse_answers: bool = True,
        request_id: str | None = None,
        timeout_s: float | None = None,
    ) -> tuple[TaskEstimate, ...]:
        """Say what every task would take with every model; nothing is created, and no model is asked.

        As for `create_evaluation`; what an evaluation of this `request_id` has is not counted again.
        """
        request = _plans.evaluation_request(
            suite_name=suite_name,
            suite_yaml=suite_yaml,
            models=models,
            data_dir=data_dir,
            sample_limit=sample_limit,
            limits=limits,
            reuse_answers=reuse_answers,
            request_id=request_id,
        )
        return self._caller.run(_plans.estimate_evaluation(request), timeout_s)

    def rescore_evaluation(self, evaluation_id: str, *, timeout_s: float | None = None) -> Evaluation:
        """Compute every metric of an ended evaluation again, from the answers that it has."""
        return self._caller.run(_plans.rescore_evaluation(evaluation_id), timeout_s)

    def evaluation(self, evaluation_id: str, *, timeout_s: float | None = None) -> Evaluation:
        """Describe one evaluation."""
        return self._caller.run(_plans.evaluation(evaluation_id), timeout_s)

    def evaluations(self, *, timeout_s: float | None = None) -> Iterator[Evaluation]:
        """Yield every evaluation, the newest first; `timeout_s` is for each page."""
        token: str | None = ""
        while token is not None:
            page = self._caller.run(_plans.page_of_evaluations(token), timeout_s)
            yield from page.items
            token = page.next_token

    def watch_evaluation(
        self,
        evaluation_id: str,
        *,
        lost: Callable[[HookeError], None] | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[Evaluation]:
        """Yield an evaluation as it is now, and after every change until it has ended.

        Survives a lost connection of up to five minutes, and calls `lost` once at the begin of each.
        `timeout_s` is for all of it; None: until the end.
        """
        following = _steps.Following(timeout_s, self._caller.timeout_s, lost)
        while True:
            try:
                stream = self._caller.stream(
                    _plans.watch(evaluation_id), following.next_deadline(), new_request_id()
                )
                with closing(stream):
                    for response in stream:
                        evaluation = following.heard(response)
                        yield evaluation
                        if evaluation.state.ended:
                            return
                seconds = following.seconds_after_end()
            except HookeError as error:
                seconds = following.seconds_after(error)
            time.sleep(seconds)

    def cancel_evaluation(self, evaluation_id: str, *, timeout_s: float | None = None) -> Evaluation:
        """Ask a running evaluation to stop; what is finished is kept."""
        return self._caller.run(_plans.cancel_evaluation(evaluation_id), timeout_s)

    def sample_results(
        self, evaluation_id: str, *, task: str = "", model: str = "", timeout_s: float | None = None
    ) -> Iterator[SampleResult]:
        """Yield the results of single samples, of one task or model or of all; `timeout_s` is a page's."""
        token: str | None = ""
        while token is not None:
            plan = _plans.page_of_sample_results(evaluation_id, task, model, token)
            page = self._caller.run(plan, timeout_s)
            yield from page.items
            token = page.next_token

    def report(
        self,
        evaluation_id: str,
        report_format: ReportFormat | str = ReportFormat.JSON,
        *,
        compared_to: str = "",
        timeout_s: float | None = None,
    ) -> bytes:
        """Fetch the report of an evaluation as one file.

        Args:
            evaluation_id: the evaluation.
            report_format: JSON, MARKDOWN or HTML_ZIP.
            compared_to: id of an evaluation from before: fetch what has changed since, as JSON or HTML_ZIP.
            timeout_s: deadline of the request; None: the client's.
        """
        return self._caller.run(_plans.report(evaluation_id, report_format, compared_to), timeout_s)
