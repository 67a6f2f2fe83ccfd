"""`python -m evaluator`: serve evaluations."""

from __future__ import annotations

from evaluator.app import EvaluatorApp
from evaluator.settings import EvaluatorSettings
from runtime.server import main


async def serve(settings: EvaluatorSettings) -> None:
    """Be the evaluator until SIGTERM."""
    await EvaluatorApp(settings).run()


if __name__ == "__main__":
    main(EvaluatorSettings, serve)
