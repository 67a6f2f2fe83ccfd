"""Writes the pages that are made from the code: `python -m docs.generate`, with `--check` to compare only.

errors.md comes from the error table of `hooke.errors`, api.md from the comments of `protos/`,
settings.md from the settings and the metrics of the processes.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf import descriptor_pb2
from pydantic.fields import FieldInfo

from evaluator.settings import EvaluatorSettings
from evaluator.telemetry import EvaluatorMetrics
from gateway.metrics import GatewayMetrics
from gateway.settings import GatewaySettings
from hooke.errors import TABLE
from runtime.metrics import Metrics
from runtime.settings import (
    MIB,
    PREFIX,
    ModelServerSettings,
    RemoteServerSettings,
    ServerSettings,
    TorchServerSettings,
)
from services.cellpose.settings import CellposeSettings
from services.classical.settings import ClassicalSettings
from services.gemini.settings import GeminiSettings
from services.llava.settings import LlavaSettings
from services.openai.settings import OpenaiSettings
from services.sam.settings import SamSettings

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
NOTICE = "<!-- Made by docs/generate.py: do not edit. -->"

ERRORS_HEAD = """
# Errors

Every failure has a canonical gRPC code and a `google.rpc.ErrorInfo` with domain `hooke` and one of these
reasons. The SDK raises the exception of the reason; all of them are in `hooke.errors` and derive from
`HookeError`. `BadRequest` comes along where fields are at fault (`violations`), `RetryInfo` and the trailer
`grpc-retry-pushback-ms` where waiting helps (`retry_after_s`).

Where no server answers at all, the SDK raises `UnavailableError`, without a reason.

| Reason | Code | Send again? | Exception | Meaning |
|---|---|---|---|---|
"""

API_HEAD = """
# The wire

What travels between clients and servers: package `hooke.v1`, generated from the comments in
[protos/hooke/v1](../protos/hooke/v1). The same services answer at the gateway and at every model service.
The reasons of failure are explained in [errors.md](errors.md).
"""

SETTINGS_HEAD = """
# Settings and metrics

Settings are environment variables, read once at the start and checked before any port opens; a mistake is
an error that names the variable. What every process has comes first, then what each adds or changes: `sam`
has its own, those of models that run on PyTorch, those of model services, and those of every process.
"""

METRICS_HEAD = """
On the page `/metrics` of each process, with those of the Python process itself, where `HOOKE_METRICS_PORT` is
set. `hooke_gateway_*` are those of the gateway, `hooke_evaluator_*` those of the evaluator,
`hooke_inference_*` those of model services.
""".strip()

PROCESSES = (
    ("Every process", ServerSettings),
    ("gateway", GatewaySettings),
    ("evaluator", EvaluatorSettings),
    ("Model services", ModelServerSettings),
    ("classical", ClassicalSettings),
    ("Models that run on PyTorch", TorchServerSettings),
    ("sam", SamSettings),
    ("cellpose", CellposeSettings),
    ("llava", LlavaSettings),
    ("Models of a provider", RemoteServerSettings),
    ("openai", OpenaiSettings),
    ("gemini", GeminiSettings),
)


def errors_page() -> str:
    """Return errors.md."""
    rows = [
        f"| `{row.reason}` | `{row.code.name}` | {row.retry.value} | `{row.exception.__name__}` "
        f"| {_cell(inspect.getdoc(row.exception) or '')} |"
        for row in TABLE.values()
    ]
    return NOTICE + "\n" + ERRORS_HEAD + "\n".join(rows) + "\n"


def api_page() -> str:
    """Return api.md. Runs `buf`, which stands beside the interpreter."""
    buf = Path(sys.executable).with_name("buf")
    image = subprocess.run([buf, "build", "-o", "-#format=binpb"], cwd=ROOT, capture_output=True, check=True)
    files = [
        _ProtoFile(file)
        for file in descriptor_pb2.FileDescriptorSet.FromString(image.stdout).file
        if file.package == "hooke.v1"
    ]
    parts = [part for file in files for part in file.services()]
    parts.append("## Messages\n")
    parts += [part for file in files for part in file.messages()]
    parts.append("## Enums\n")
    parts += [part for file in files for part in file.enums()]
    return f"{NOTICE}\n{API_HEAD}\n" + "\n".join(parts)


def settings_page() -> str:
    """Return settings.md."""
    parts = [f"{NOTICE}\n{SETTINGS_HEAD}"]
    for title, kind in PROCESSES:
        own = [name for name in kind.model_fields if name in vars(kind)["__annotations__"]]
        rows = [
            (
                f"`{PREFIX}{name.upper()}`",
                _default(name, kind.model_fields[name]),
                _described(kind.model_fields[name]),
            )
            for name in own
        ]
        parts.append(f"## {title}\n\n{_table(('Variable', 'Default', 'Meaning'), rows)}")
    rows = []
    registry = Metrics().registry
    GatewayMetrics(registry)
    EvaluatorMetrics(registry).watch_calls(dict)
    for metric in registry.collect():
        if metric.name.startswith(("grpc_", "hooke_")):
            name = metric.name + ("_total" if metric.type == "counter" else "")
            rows.append((f"`{name}`", metric.type, _cell(metric.documentation)))
    parts.append(f"## Metrics\n\n{METRICS_HEAD}\n\n{_table(('Metric', 'Type', 'Meaning'), rows)}")
    return "\n".join(parts)


def _default(name: str, field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "see meaning"
    note = ""
    match field.default:
        case None:
            return "absent"
        case bool() as switch:
            value = str(switch).lower()
        case int() as number if "bytes" in name and number % MIB == 0:
            value, note = str(number), f" ({number // MIB} MiB)"
        case tuple() as values:
            value = ",".join(values)
        case Path() as path if path.is_absolute():
            value = str(path.relative_to(ROOT))
        case other:
            value = str(other)
    return f"`{value}`{note}" if value else "empty"


def _described(field: FieldInfo) -> str:
    assert field.description is not None, "every setting says what it means"
    return _cell(field.description)


class _ProtoFile:
    """One .proto file, with its comments by the path that descriptors use."""

    def __init__(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        self.file = file
        self.comments = {tuple(at.path): at.leading_comments for at in file.source_code_info.location}

    def services(self) -> Iterator[str]:
        for i, service in enumerate(self.file.service):
            yield f"## {service.name}\n\n{_text(self.comments[6, i])}\n"
            rows = []
            for j, method in enumerate(service.method):
                ask = ("stream of " if method.client_streaming else "") + _link(method.input_type)
                answer = ("stream of " if method.server_streaming else "") + _link(method.output_type)
                rows.append((f"`{method.name}`", ask, answer, _cell(self.comments[6, i, 2, j])))
            yield _table(("Call", "Takes", "Returns", "What it does"), rows)

    def messages(self) -> Iterator[str]:
        for i, message in enumerate(self.file.message_type):
            yield f"### {message.name}\n\n{_text(self.comments[4, i])}\n"
            rows = []
            for j, field in enumerate(message.field):
                note = _cell(self.comments[4, i, 2, j])
                if field.HasField("oneof_index") and not field.proto3_optional:
                    note = f"*One of `{message.oneof_decl[field.oneof_index].name}`.* {note}"
                rows.append((f"`{field.name}`", _field_type(field), note))
            yield _table(("Field", "Type", "Meaning"), rows)

    def enums(self) -> Iterator[str]:
        for i, enum in enumerate(self.file.enum_type):
            yield f"### {enum.name}\n\n{_text(self.comments[5, i])}\n"
            rows = [
                (f"`{value.name}`", str(value.number), _cell(self.comments[5, i, 2, j]))
                for j, value in enumerate(enum.value)
            ]
            yield _table(("Value", "Number", "Meaning"), rows)


def _field_type(field: descriptor_pb2.FieldDescriptorProto) -> str:
    name = (
        _link(field.type_name)
        if field.type_name
        else field.Type.Name(field.type).removeprefix("TYPE_").lower()
    )
    if field.label == field.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def _link(type_name: str) -> str:
    name = type_name.rpartition(".")[2]
    if not type_name.startswith(".hooke.v1."):
        return f"`{type_name.removeprefix('.')}`"
    return f"[{name}](#{name.lower()})"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _text(comment: str) -> str:
    return "\n".join(line.strip() for line in comment.strip().splitlines())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write the pages, or say which ones are stale."""
    pages = {
        DOCS / "errors.md": errors_page(),
        DOCS / "api.md": api_page(),
        DOCS / "settings.md": settings_page(),
    }
    if "--check" not in sys.argv[1:]:
        for path, text in pages.items():
            path.write_text(text, encoding="utf-8")
        return
    stale = [
        path.relative_to(ROOT)
        for path, text in pages.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if stale:
        sys.exit(f"Stale: {', '.join(map(str, stale))}. Run: .venv/bin/python -m docs.generate")


if __name__ == "__main__":
    main()
