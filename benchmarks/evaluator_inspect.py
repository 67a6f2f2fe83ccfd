"""inspect_ai at the work of `benchmarks.evaluator`: a script for the environment that has it, and not Hooke.

`python evaluator_inspect.py TABLE LOGS` evaluates its mock model once for each line that it reads, on as many
samples as that says, and writes a line when that is done.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import inspect_ai
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import match
from inspect_ai.solver import generate

_IN_FLIGHT = 32
"""As many as the evaluator has at most."""


def _yes() -> ModelOutput:
    """The answer, with the usage that the mock model would fetch a tokenizer to count otherwise."""
    output = ModelOutput.from_content("mockllm/model", "Answer: yes")
    output.usage = ModelUsage(input_tokens=16, output_tokens=2, total_tokens=18)
    return output


def main() -> None:
    table, logs = Path(sys.argv[1]), sys.argv[2]
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    samples = [
        Sample(
            input=[
                ChatMessageUser(
                    content=[
                        ContentImage(image=str(table.parent / row["image"])),
                        ContentText(text=row["question"]),
                    ]
                )
            ],
            target=row["answer"],
        )
        for row in rows
    ]
    for line in sys.stdin:
        chosen = samples[: int(line)]
        yes = [_yes() for _sample in chosen]
        [log] = inspect_ai.eval(
            inspect_ai.Task(MemoryDataset(chosen), solver=generate(), scorer=match()),
            model=get_model("mockllm/model", custom_outputs=yes, memoize=False),
            log_dir=logs,
            display="none",
            max_connections=_IN_FLIGHT,
            max_samples=_IN_FLIGHT,
            log_realtime=False,  # for a viewer while it runs, which would slow it down by a fifth
        )
        if log.status != "success" or log.results is None or log.results.completed_samples != len(chosen):
            sys.exit(f"inspect_ai did not finish: {log.error}")
        print("done", flush=True)


if __name__ == "__main__":
    main()
