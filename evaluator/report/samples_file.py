"""`samples.parquet`: one row for each answer, for pandas, DuckDB and all else that reads Parquet.

The columns are those of `COLUMNS`, then `slice.<axis>` and `metric.<name>` for every axis and metric that any
row has. Which ones there are is known only at the end, so rows are kept as maps first and spread then; of
either file no more than one group of rows is in memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from pyarrow import parquet

from evaluator.report.contents import ReportSample, SampleResultView
from evaluator.report.serialise import plain

ROW_GROUP = 4096
"""Rows that are in memory at once."""
SLICE, METRIC = "slice.", "metric."
"""What the names of columns of slices and of metrics begin with."""

_NAME = pa.dictionary(pa.int32(), pa.string())
COLUMNS = pa.schema(
    [
        ("task", _NAME),
        ("model", _NAME),
        ("sample_id", pa.string()),
        ("repeat", pa.int32()),
        ("position", pa.int64()),
        ("source", pa.string()),
        ("cluster", pa.string()),
        ("outcome", _NAME),
        ("answer", pa.string()),
        ("truth", pa.string()),
        ("trivial", pa.bool_()),
        ("tuned_on", pa.bool_()),
        ("written", pa.string()),
        ("truncated", pa.bool_()),
        ("stated_confidence", pa.float64()),
        ("error_reason", pa.string()),
        ("error_message", pa.string()),
        ("cached_from", pa.string()),
        ("attempt", pa.int32()),
        ("latency_s", pa.float64()),
        ("queue_s", pa.float64()),
        ("compute_s", pa.float64()),
        ("input_token_count", pa.int64()),
        ("output_token_count", pa.int64()),
        ("cost_micro_usd", pa.int64()),
        ("price_missing", pa.bool_()),
        ("model_version", _NAME),
        ("weights_digest", _NAME),
        ("prompt_version", _NAME),
        ("prompt_sha256", _NAME),
        ("image_sha256", pa.string()),
        ("details", pa.string()),
    ]
)
"""What every row has; docs/reports.md says what each is."""

_UNSPREAD = COLUMNS.append(pa.field("slices", pa.map_(pa.string(), pa.string()))).append(
    pa.field("metrics", pa.map_(pa.string(), pa.float64()))
)


class SamplesFile:
    """Writes `samples.parquet`; it is there, whole, once the context is left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_suffix(".part")
        self._writer = _writer(self._part, _UNSPREAD)
        self._rows: list[Mapping[str, Any]] = []
        self._axes: dict[str, None] = {}
        self._metrics: dict[str, None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give slices and metrics their columns; after an error, leave nothing."""
        if kind is None:
            self._flush()
        self._writer.close()
        if kind is None:
            self._spread()
        self._part.unlink()

    def add(self, sample: ReportSample, slices: Mapping[str, str]) -> None:
        """Write every answer of every model to a sample."""
        self._axes |= dict.fromkeys(slices)
        for result in (result for results in sample.results.values() for result in results):
            self._metrics |= dict.fromkeys(result.score.metrics)
            self._rows.append(_row(sample, result, slices))
        if len(self._rows) >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, _UNSPREAD))
            self._rows = []

    def _spread(self) -> None:
        schema = COLUMNS
        for axis in self._axes:
            schema = schema.append(pa.field(f"{SLICE}{axis}", _NAME))
        for name in self._metrics:
            schema = schema.append(pa.field(f"{METRIC}{name}", pa.float64()))
        with parquet.ParquetFile(self._part) as part, _writer(self._path, schema) as whole:
            for group in range(part.num_row_groups):
                table = part.read_row_group(group)
                slices = [dict(pairs) for pairs in table["slices"].to_pylist()]
                metrics = [dict(pairs) for pairs in table["metrics"].to_pylist()]
                names = (pa.array([row.get(axis) for row in slices], pa.string()) for axis in self._axes)
                columns = [
                    *(table[name].combine_chunks() for name in COLUMNS.names),
                    *(values.dictionary_encode() for values in names),
                    *(pa.array([row.get(name) for row in metrics], pa.float64()) for name in self._metrics),
                ]
                whole.write_table(pa.Table.from_arrays(columns, schema=schema))


def _writer(path: Path, schema: pa.Schema) -> parquet.ParquetWriter:
    return parquet.ParquetWriter(path, schema, compression="zstd")


def _row(sample: ReportSample, result: SampleResultView, slices: Mapping[str, str]) -> dict[str, Any]:
    score, prediction = result.score, result.prediction
    told = prediction.provenance
    return {
        "task": sample.task,
        "model": score.model,
        "sample_id": score.sample_id,
        "repeat": prediction.repeat,
        "position": sample.row.index,
        "source": sample.row.source,
        "cluster": sample.row.cluster,
        "outcome": score.outcome.value,
        "answer": score.answer,
        "truth": score.truth,
        "trivial": score.trivial,
        "tuned_on": score.tuned_on,
        "written": prediction.written,
        "truncated": prediction.truncated,
        "stated_confidence": prediction.stated_confidence,
        "error_reason": score.error_reason or prediction.error_reason,
        "error_message": prediction.error_message,
        "cached_from": prediction.cached_from or None,
        "attempt": prediction.attempt,
        "latency_s": prediction.latency_s,
        "queue_s": prediction.queue_s,
        "compute_s": prediction.compute_s,
        "input_token_count": prediction.input_token_count,
        "output_token_count": prediction.output_token_count,
        "cost_micro_usd": prediction.cost_micro_usd,
        "price_missing": prediction.price_missing,
        "model_version": told.get("model_version"),
        "weights_digest": told.get("weights_digest"),
        "prompt_version": told.get("prompt_version"),
        "prompt_sha256": told.get("prompt_sha256"),
        "image_sha256": told.get("image_sha256"),
        "details": json.dumps(plain(score.details), ensure_ascii=False),
        "slices": list(slices.items()),
        "metrics": list(score.metrics.items()),
    }
