"""`hooke models`."""

from __future__ import annotations

from collections.abc import Iterable

import typer
from rich.table import Table

from hooke.cli import options
from hooke.types import ModelInfo, Task


def models(context: typer.Context, address: options.Address = None, as_json: options.AsJson = False) -> None:
    """List the models, with what they can be asked.

    \b
    Examples:
      hooke models
      hooke --address gateway.lab:50051 models --json
    """
    session = options.session_of(context, address, as_json)
    with session.reporting(), session.client() as client:
        client.serving(timeout_s=session.connect_s)
        found = client.models()
        session.show(found, table_of(found))


def table_of(models: Iterable[ModelInfo]) -> Table:
    """Return the models as a table."""
    table = Table("Name", "Version", "State", "Tasks", "Device", "Licence", "Description")
    for model in models:
        licences = dict.fromkeys(filter(None, (model.licences.code, model.licences.weights)))
        table.add_row(
            model.name,
            model.version,
            model.state,
            ", ".join(
                f"{task} (by examples)" if task is Task.CLASSIFY and model.examples_required else task
                for task in sorted(model.tasks)
            ),
            model.device,
            ", ".join(licences),
            model.description,
        )
    return table
