"""Answers that other runs have had to the same questions, used again instead of asking.

An answer is used again only where asking would bring the same: the same task and sample, the same model in
the same version with the same weights and code (which has the service's prompts), and no chance in it. A
service that draws says the seed that it drew by, so an answer with one is not used again. Of a remote model,
nobody knows before asking which version would answer: its last answer to anybody says which is taken to be
the present one. And providers repeat themselves, if ever, only where the likeliest token is taken: an answer
of theirs must say that its temperature was 0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from evaluator.answering import Answer, Identity, identity_of
from evaluator.history import History
from evaluator.journal import read_mask
from evaluator.records import Prediction, Sample
from evaluator.suites import TaskSpec
from evaluator.threads import on
from evaluator.wording import put_into_words
from hooke.types import ModelInfo


class EarlierAnswers:
    """What other runs have had of one model. Making one reads from the store.

    Args:
        history: has the runs.
        info: what the gateway says of the model now.
        threads: for reading.
    """

    def __init__(self, history: History, info: ModelInfo, threads: Executor) -> None:
        self._history = history
        self._info = info
        self._threads = threads
        self._who = self._identity()

    async def find(self, task: TaskSpec, sample: Sample) -> Answer | None:
        """The answer to a sample, as the run that uses it again keeps it: it has cost nothing there."""
        return await on(self._threads, self._find, task, sample)

    def count(self, task: TaskSpec, evaluation_id: str) -> int:
        """Samples of a task that a run has no answer to and others have, by chance or not."""
        who = self._who
        if who is None:
            return 0
        return self._history.answered_elsewhere(
            evaluation_id, task.digest, self._info.name, who.version, who.weights_digest
        )

    def _find(self, task: TaskSpec, sample: Sample) -> Answer | None:
        who = self._who
        if who is None:
            return None
        cached = self._history.cached(
            task.digest, self._info.name, sample.sample_id, who.version, who.weights_digest
        )
        if cached is None or not self._would_come_again(cached.prediction, task, sample):
            return None
        prediction = replace(
            cached.prediction,
            task=task.name,
            mask_file=None,
            attempt=1,
            input_token_count=None,
            output_token_count=None,
            cost_micro_usd=None,
            price_missing=False,
            cached_from=cached.prediction.cached_from or cached.folder.name,
        )
        return Answer(prediction, read_mask(cached.folder, cached.prediction))

    def _identity(self) -> Identity | None:
        """Who would answer now; None: nobody knows."""
        if not self._info.remote:
            return Identity(self._info.version, self._info.weights_digest)
        last = self._history.last_answer(self._info.name)
        return None if last is None else identity_of(last)

    def _would_come_again(self, prediction: Prediction, task: TaskSpec, sample: Sample) -> bool:
        provenance = prediction.provenance
        if provenance.get("code_version") != self._info.code_version:
            return False
        if sample.inquiry is not None:
            words = put_into_words(sample, task.prompt)
            if provenance.get("words_sha256") != words_sha256(words):
                return False
        return not drawn(provenance, remote=self._info.remote)


def drawn(provenance: Mapping[str, Any], *, remote: bool) -> bool:
    """True if there may be chance in an answer."""
    used = {parameter["name"]: parameter["value"] for parameter in provenance["parameters"]}
    return "seed" in used or (remote and used.get("temperature") != 0)


def words_sha256(words: str) -> str:
    """SHA-256 of the words in which a question in words is put."""
    return hashlib.sha256(words.encode()).hexdigest()
