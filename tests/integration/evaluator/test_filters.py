"""Named filters over the same answers, from the suite to the report."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from evaluator.report import read_json
from hooke.types import Evaluation, EvaluationState
from tests.integration.evaluator.lab import Lab, Model, address_of, evaluating, gateway_of, model_service
from tests.integration.evaluator.provider import Provider, counting, provider_service

THINKING = '      thinking: [{after: "</think>"}]\n'
AS_WRITTEN = "      as-written: []\n"


async def models_of(lab: Lab, evaluation: Evaluation) -> dict[str, Any]:
    """The models of the only task, by name."""
    (task,) = read_json((await lab.client.report(evaluation.evaluation_id)).decode()).tasks
    return {model.model: model for model in task.models}


# A finished evaluation takes up filters without asking anything again: the first one decides, what the others
# make of the same answers stands apart, and models that do not write are as they were.
async def test_filters_of_a_finished_evaluation(tmp_path: Path) -> None:
    words, sees = Provider(), Model()
    words.replies = ("<think>2, or 4?</think>\nCount: 3",)
    async with (
        provider_service(words) as one,
        model_service(sees) as two,
        gateway_of({"provider": address_of(one), "model": address_of(two)}) as gateway,
        evaluating(gateway, tmp_path) as lab,
    ):
        plain = await lab.run(counting(8))
        before = await models_of(lab, plain)
        assert before["provider"].outcome_counts["scored"] == 8  # its answer line is clear as it stands
        words_asked, seen = len(words.asked), sees.asked.total()

        text = counting(8) + "    filters:\n" + AS_WRITTEN + '      doubt: [{match: "<think>(.*)</think>"}]\n'
        filtered = await lab.run(text + THINKING)
        assert filtered.evaluation_id == plain.evaluation_id
        assert filtered.state is EvaluationState.SUCCEEDED, filtered.state_message
        assert (len(words.asked), sees.asked.total()) == (words_asked, seen)
        after = await models_of(lab, filtered)
        was, provider = before["provider"], after["provider"]
        assert (provider.strict, provider.answered) == (was.strict, was.answered)
        doubt, thinking = provider.filtered
        assert (doubt.filter, doubt.outcome_counts["unparsed"]) == ("doubt", 8)
        assert (thinking.filter, thinking.outcome_counts["scored"]) == ("thinking", 8)
        assert thinking.strict == provider.strict
        assert after["model"].filtered == ()
        assert after["model"].strict == before["model"].strict

        markdown = (await lab.client.report(filtered.evaluation_id, "markdown")).decode()
        assert "### Read otherwise" in markdown
        archive = await lab.client.report(filtered.evaluation_id, "html_zip")
        with zipfile.ZipFile(io.BytesIO(archive)) as files:
            page = files.read("task1.html").decode()
        assert "read through the filter &#39;as-written&#39;" in page
        assert page.count("thinking</th>") == 1

        # Another order is another decision, also when metrics are computed again.
        doubted = counting(8) + '    filters:\n      doubt: [{match: "<think>(.*)</think>"}]\n' + THINKING
        await lab.run(doubted)
        rescored = await lab.end_of(await lab.client.rescore_evaluation(filtered.evaluation_id))
        (progress,) = [p for p in rescored.task_progress if p.model == "provider"]
        assert (progress.scored_count, progress.unparsed_count) == (0, 8)
        assert (await models_of(lab, rescored))["provider"].outcome_counts["unparsed"] == 8
        assert (len(words.asked), sees.asked.total()) == (words_asked, seen)
