"""Two evaluations compared by the service that keeps them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pyarrow import parquet

from hooke import errors
from tests.integration.evaluator.lab import (
    Lab,
    Model,
    OtherModel,
    address_of,
    evaluating,
    gateway_of,
    model_service,
    suite,
)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with (
        model_service(Model()) as first,
        model_service(OtherModel()) as second,
        gateway_of({"model": address_of(first), "other": address_of(second)}) as gateway,
        evaluating(gateway, tmp_path) as lab,
    ):
        yield lab


# Runs of the same samples are compared sample by sample, as JSON and as a page; what only one of them has is
# named.
async def test_contrast(lab: Lab) -> None:
    before = await lab.run(suite(6), "before", models=["model"])
    after = await lab.run(suite(6), "after")
    ids = before.evaluation_id, after.evaluation_id
    found = json.loads(await lab.client.report(ids[1], compared_to=ids[0]))
    assert (found["first"]["evaluation_id"], found["second"]["evaluation_id"]) == ids
    assert [(each["task"], each["model"]) for each in found["contrasts"]] == [
        ("nuclei", "model"),
        ("cells", "model"),
    ]
    for each in found["contrasts"]:
        assert (each["shared_count"], each["verdict"]) == (6, "alike")
        assert {change["difference"]["value"] for change in each["changes"]} <= {0.0, None}
    assert found["only_second"] == [["nuclei", "other"], ["cells", "other"]]
    assert {"models.other.version"} <= {each["what"] for each in found["provenance"]}
    assert not [each for each in found["provenance"] if each["topic"] in {"data", "questions"}]
    archive = await lab.client.report(ids[1], "html_zip", compared_to=ids[0])
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert set(files.namelist()) == {"index.html", "comparison.json", "comparison.md"}
        assert json.loads(files.read("comparison.json")) == found
        markdown = await lab.client.report(ids[1], "markdown", compared_to=ids[0])
        assert markdown == files.read("comparison.md")
        assert b"cannot be told apart" in markdown


# What cannot be compared is refused with the reason: an unknown run, a run without a report.
async def test_refused(lab: Lab, tmp_path: Path) -> None:
    run = await lab.run(suite(2), "one", models=["model"])
    with pytest.raises(errors.UnknownEvaluationError):
        await lab.client.report(run.evaluation_id, compared_to="nobody")
    (lab.runs_dir / run.evaluation_id / "report" / "samples.parquet").unlink()
    with pytest.raises(errors.InvalidRequestError, match="evaluate again"):
        await lab.client.report(run.evaluation_id, compared_to=run.evaluation_id)


# The archive of a report has every answer of the run, with what its service said of it.
async def test_samples(lab: Lab) -> None:
    run = await lab.run(suite(4), "samples")
    with zipfile.ZipFile(io.BytesIO(await lab.client.report(run.evaluation_id, "html_zip"))) as files:
        rows = parquet.read_table(io.BytesIO(files.read("samples.parquet"))).to_pylist()
    results = await lab.results(run)
    assert {(row["task"], row["model"], row["sample_id"]) for row in rows} == {
        (result.task, result.model, result.sample_id) for result in results
    }
    assert {row["weights_digest"] for row in rows} == {"sha256:1"}
    assert all(len(row["image_sha256"]) == 64 for row in rows)
    by_key = {(row["task"], row["model"], row["sample_id"]): row for row in rows}
    for result in results:
        row = by_key[result.task, result.model, result.sample_id]
        assert all(row[f"metric.{name}"] == value for name, value in result.metrics.items())
