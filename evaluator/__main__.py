"""`python -m evaluator`: serve evaluations, or carry one out and leave."""

from __future__ import annotations

import typer

from evaluator.app import EvaluatorApp
from evaluator.batch import run
from evaluator.settings import EvaluatorSettings
from runtime.memory import return_large_memory
from runtime.server import main


async def serve(settings: EvaluatorSettings) -> None:
    """Be the evaluator until SIGTERM."""
    await EvaluatorApp(settings).run()


def command_line() -> typer.Typer:
    """Build what `python -m evaluator` runs."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def by_default(context: typer.Context) -> None:
        """Serve evaluations by gRPC until SIGTERM, or carry one out and leave.

        Settings are environment variables HOOKE_...: docs/settings.md lists them.
        """
        if context.invoked_subcommand is None:
            main(EvaluatorSettings, serve, memory=return_large_memory)

    app.command()(run)
    return app


if __name__ == "__main__":
    command_line()(prog_name="python -m evaluator")
