from __future__ import annotations

import asyncio
import base64
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from evaluator.report import read_json
from hooke import errors
from hooke.errors import InvalidRequestError
from hooke.status import error_from
from hooke.types import EvaluationState
from hooke.v1 import evaluation_service_pb2 as pb
from hooke.v1 import evaluation_service_pb2_grpc as pb_grpc
from tests.integration.evaluator.lab import Lab, Model, address_of, evaluating, model_service, suite
from tests.integration.evaluator.test_runs import PAIRS, images

FOLDER_SUITE = """
name: folders
tasks:
  - name: squares
    kind: segmentation
    dataset: {loader: image_label_pairs, folder: "FOLDER", image: "{id}.tif", truth: "{id}_labels.tif"}
"""


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """An evaluator with a model and a data root."""
    (tmp_path / "data" / "inside").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "data" / "file").touch()
    async with (
        model_service(Model()) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=tmp_path / "data") as lab,
    ):
        yield lab


@pytest.fixture
async def stub(lab: Lab) -> AsyncIterator[pb_grpc.EvaluationServiceAsyncStub]:
    """The bare service, for requests that the client would not send."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{lab.app.server.port}") as channel:
        yield pb_grpc.EvaluationServiceStub(channel)


async def refused(call: object) -> InvalidRequestError:
    """The INVALID_REQUEST that a call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        await call  # type: ignore[misc]
    error = error_from(caught.value)
    assert isinstance(error, InvalidRequestError), error
    return error


# The same request is the same evaluation, however often it is made.
async def test_create_is_idempotent(lab: Lab) -> None:
    created = await lab.create(suite(3), request_id="same")
    assert created.request_id == "same"
    assert created.suite_name == "tiny"
    again = await asyncio.gather(*(lab.create(suite(3), request_id="same") for _ in range(5)))
    assert {evaluation.evaluation_id for evaluation in again} == {created.evaluation_id}
    ended = await lab.end_of(created)
    assert await lab.create(suite(3), request_id="same") == ended
    assert len([e async for e in lab.client.evaluations()]) == 1


# Every faulty field is named, all at once, and nothing is created.
@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        (pb.CreateEvaluationRequest(), ["request_id", "suite"]),
        (pb.CreateEvaluationRequest(request_id="a b", suite_name="demo"), ["request_id"]),
        (pb.CreateEvaluationRequest(request_id="../x", suite_name="demo"), ["request_id"]),
        (pb.CreateEvaluationRequest(request_id="x" * 129, suite_name="demo"), ["request_id"]),
        (pb.CreateEvaluationRequest(request_id="x", suite_name=""), ["suite_name"]),
        (pb.CreateEvaluationRequest(request_id="x", suite_name="../demo"), ["suite_name"]),
        (pb.CreateEvaluationRequest(request_id="x", suite_yaml=""), ["suite_yaml"]),
        (
            pb.CreateEvaluationRequest(
                request_id="x", suite_name="demo", models=["a", "", "a"], sample_limit=0
            ),
            ["models[1]", "models[2]", "sample_limit"],
        ),
        (
            pb.CreateEvaluationRequest(
                request_id="x",
                suite_name="demo",
                limits=pb.EvaluationLimits(
                    model_limits=[
                        pb.ModelLimit(model="a", max_in_flight=0),
                        pb.ModelLimit(model="a", requests_per_minute=-1),
                        pb.ModelLimit(max_in_flight=1),
                    ],
                    max_cost_micro_usd=-1,
                    max_failed_count=-1,
                    max_failed_fraction=float("nan"),
                    max_sending_duration=Duration(seconds=-1),
                ),
            ),
            [
                *("limits.model_limits[0].max_in_flight", "limits.model_limits[1].model"),
                *("limits.model_limits[1].requests_per_minute", "limits.model_limits[2].model"),
                *("limits.max_cost_micro_usd", "limits.max_failed_count", "limits.max_failed_fraction"),
                "limits.max_sending_duration",
            ],
        ),
        (pb.CreateEvaluationRequest(request_id="x", suite_yaml="name: a"), ["suite.tasks"]),
        (
            pb.CreateEvaluationRequest(
                request_id="x",
                suite_yaml=suite(3).replace("seed: 2", "seed: 1").replace("counting", "segmentation"),
            ),
            ["suite.tasks[1]"],
        ),
    ],
)
async def test_faulty_requests(
    stub: pb_grpc.EvaluationServiceAsyncStub, request_: pb.CreateEvaluationRequest, fields: list[str]
) -> None:
    error = await refused(stub.CreateEvaluation(request_))
    assert [violation.field for violation in error.violations] == fields
    assert not (await stub.ListEvaluations(pb.ListEvaluationsRequest())).evaluations


# No folder outside of the data root can be named, whichever way; the answer says which field and setting.
@pytest.mark.parametrize(
    "data_dir",
    [
        "..",
        "../outside",
        "/etc",
        "inside/../../outside",
        "link",
        "missing",
        "file",
        "nul\0byte",
        "x" * 5000,
    ],
)
async def test_data_dir_stays_under_the_root(lab: Lab, data_dir: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await lab.create(FOLDER_SUITE.replace("FOLDER", "."), data_dir=data_dir)
    assert [violation.field for violation in caught.value.violations] == ["data_dir"]
    assert "HOOKE_EVALUATOR_DATA_ROOT" in caught.value.message or "no path" in caught.value.message


# Nor can a suite name one.
@pytest.mark.parametrize("folder", ["..", "/etc", "link", "inside/../../outside"])
async def test_folder_of_a_suite_stays_under_the_root(lab: Lab, folder: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await lab.create(FOLDER_SUITE.replace("FOLDER", folder))
    assert [violation.field for violation in caught.value.violations] == ["suite.tasks[0].dataset.folder"]


# Without a data root, suites that need data are refused with the name of the setting; others run.
async def test_without_data_root(tmp_path: Path) -> None:
    async with model_service(Model()) as service, evaluating(address_of(service), tmp_path) as lab:
        for data_dir in ("", "inside"):
            with pytest.raises(InvalidRequestError, match="HOOKE_EVALUATOR_DATA_ROOT"):
                await lab.create(FOLDER_SUITE.replace("FOLDER", "."), data_dir=data_dir)
        assert (await lab.run(suite(2))).state is EvaluationState.SUCCEEDED


# A folder may be given absolute or relative to the root.
async def test_data_dir_may_be_absolute(lab: Lab) -> None:
    text = FOLDER_SUITE.replace("FOLDER", ".")
    for number, data_dir in enumerate(("inside", str(lab.runs_dir.parent / "data" / "inside"))):
        evaluation = await lab.run(text, request_id=str(number), data_dir=data_dir)
        assert evaluation.state is EvaluationState.FAILED  # the folder is empty
        assert "inside" in evaluation.state_message


# Which folder a run reads is said from its start on, and kept, though the request named none.
async def test_data_folder_is_told(tmp_path: Path) -> None:
    root = images(tmp_path / "data", 3)
    model = Model()
    model.hold_after = 0
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path / "runs", evaluator_data_root=root) as lab,
    ):
        created = await lab.create(PAIRS.replace("FOLDER", "."))
        await model.until_it_holds()
        assert (await lab.client.evaluation(created.evaluation_id)).state_message == f"Data: {root}"
        model.released.set()
        evaluation = await lab.end_of(created)
        assert (evaluation.state, evaluation.state_message) == (EvaluationState.SUCCEEDED, "")
        summary = read_json((await lab.client.report(evaluation.evaluation_id)).decode())
        assert summary.provenance["data_dir"] == str(root)


# An id that names nothing is UNKNOWN_EVALUATION for every method, and no id is INVALID_REQUEST.
async def test_unknown_evaluations(lab: Lab) -> None:
    for unknown, kind in (("nothing", errors.UnknownEvaluationError), ("", InvalidRequestError)):
        for call in (lab.client.evaluation, lab.client.cancel_evaluation, lab.client.report):
            with pytest.raises(kind):
                await call(unknown)
        with pytest.raises(kind):
            await anext(lab.client.watch_evaluation(unknown))
        with pytest.raises(kind):
            await anext(lab.client.sample_results(unknown))


# Pages of evaluations join to the whole list, the newest first, though new ones arrive between them.
async def test_pages_of_evaluations(lab: Lab, stub: pb_grpc.EvaluationServiceAsyncStub) -> None:
    for number in range(5):
        await lab.create(suite(1), request_id=f"r{number}")
    first = await stub.ListEvaluations(pb.ListEvaluationsRequest(page_size=2))
    await lab.create(suite(1), request_id="late")
    seen, token = [e.request_id for e in first.evaluations], first.next_page_token
    while token:
        page = await stub.ListEvaluations(pb.ListEvaluationsRequest(page_size=2, page_token=token))
        seen += [evaluation.request_id for evaluation in page.evaluations]
        token = page.next_page_token
    assert seen == ["r4", "r3", "r2", "r1", "r0"]


# Pages of results join, with any filter; a token of another list is refused, and so is a made-up one.
async def test_pages_of_results(lab: Lab, stub: pb_grpc.EvaluationServiceAsyncStub) -> None:
    evaluation = await lab.run(suite(5))
    whole = [(r.task, r.sample_id) for r in await lab.results(evaluation)]
    assert len(set(whole)) == 10
    request = pb.ListSampleResultsRequest(evaluation_id=evaluation.evaluation_id, page_size=3)
    seen: list[tuple[str, str]] = []
    tokens: list[str] = []
    while True:
        page = await stub.ListSampleResults(request)
        seen += [(result.task, result.sample_id) for result in page.sample_results]
        assert len(page.sample_results) <= 3
        if not page.next_page_token:
            break
        tokens.append(page.next_page_token)
        request.page_token = page.next_page_token
    assert seen == whole
    assert len(tokens) == 3
    cells = await lab.results(evaluation, task="cells")
    assert [(r.task, r.sample_id) for r in cells] == whole[5:]
    assert await lab.results(evaluation, task="nothing") == []
    assert await lab.results(evaluation, model="nobody") == []
    nested = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    for token in (tokens[0][:-4], "?", "é", "bnVsbA==", "W10=", nested):
        bad = pb.ListSampleResultsRequest(evaluation_id=evaluation.evaluation_id, page_token=token)
        assert [v.field for v in (await refused(stub.ListSampleResults(bad))).violations] == ["page_token"]
    other = pb.ListSampleResultsRequest(
        evaluation_id=evaluation.evaluation_id, task="cells", page_token=tokens[0]
    )
    assert [v.field for v in (await refused(stub.ListSampleResults(other))).violations] == ["page_token"]


# Pages have 1 to 1000 entries.
@pytest.mark.parametrize("size", [0, -1, 1001])
async def test_page_sizes(lab: Lab, stub: pb_grpc.EvaluationServiceAsyncStub, size: int) -> None:
    evaluation = await lab.create(suite(1))
    for call in (
        stub.ListEvaluations(pb.ListEvaluationsRequest(page_size=size)),
        stub.ListSampleResults(
            pb.ListSampleResultsRequest(evaluation_id=evaluation.evaluation_id, page_size=size)
        ),
    ):
        assert [v.field for v in (await refused(call)).violations] == ["page_size"]


# The report of an ended run comes in every format, and the archive opens without the server.
async def test_reports(lab: Lab, stub: pb_grpc.EvaluationServiceAsyncStub) -> None:
    evaluation = await lab.run(suite(3))
    name = evaluation.evaluation_id
    content = await lab.client.report(name)
    summary = read_json(content.decode())
    assert (summary.evaluation_id, summary.suite, summary.state) == (name, "tiny", "succeeded")
    assert (await lab.client.report(name, "markdown")).decode().startswith("# tiny")
    with zipfile.ZipFile(io.BytesIO(await lab.client.report(name, "html_zip"))) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert {"index.html", "report.json", "report.md"} <= set(names)
        assert archive.read("report.json") == content
        assert not any(entry.startswith(("/", "..")) for entry in names)
    unspecified = [r async for r in stub.GetReport(pb.GetReportRequest(evaluation_id=name))]
    assert b"".join(response.chunk for response in unspecified) == content
    unknown = stub.GetReport(pb.GetReportRequest(evaluation_id=name, report_format=99))
    assert [v.field for v in (await refused(unknown.read())).violations] == ["report_format"]


# The head of the report says what was asked, of whom, by which code and on which data.
async def test_provenance(lab: Lab) -> None:
    evaluation = await lab.run(suite(3), models=["model"], sample_limit=2)
    provenance = json.loads(await lab.client.report(evaluation.evaluation_id))["provenance"]
    assert provenance["models"]["model"]["version"] == "1"
    assert provenance["models"]["model"]["weights_digest"] == "sha256:1"
    assert provenance["request"] == {"request_id": "run", "data_dir": "", "sample_limit": 2}
    assert set(provenance["tasks"]) == set(provenance["datasets"]) == {"nuclei", "cells"}
    nuclei = provenance["datasets"]["nuclei"]
    assert (nuclei["sample_count"], len(nuclei["manifest_sha256"])) == (2, 64)
    assert provenance["seeds"]["nuclei"] == 1
    assert isinstance(provenance["seeds"]["intervals"], int)
    assert len(provenance["suite"]["sha256"]) == 64
    assert provenance["code"]["packages"]["numpy"]
    assert {"git_commit", "git_dirty", "python"} <= set(provenance["code"])
    assert len(provenance["parts"]) == 1


# While a run goes on, its JSON and Markdown show what there is, and its archive is refused with the reason.
async def test_report_of_a_run_that_goes_on(tmp_path: Path) -> None:
    model = Model(compute_s=0.05)
    async with model_service(model) as service, evaluating(address_of(service), tmp_path) as lab:
        created = await lab.create(suite(20))
        async for evaluation in lab.client.watch_evaluation(created.evaluation_id):
            if any(progress.done_count for progress in evaluation.task_progress):
                break
        summary = read_json((await lab.client.report(created.evaluation_id)).decode())
        assert summary.state == "running"
        assert [task.sample_count for task in summary.tasks] == [20, 20]
        assert 0 < sum(task.models[0].coverage for task in summary.tasks) < 2
        assert (await lab.client.report(created.evaluation_id, "markdown")).startswith(b"# tiny")
        with pytest.raises(InvalidRequestError, match="has not ended") as caught:
            await lab.client.report(created.evaluation_id, "html_zip")
        assert [violation.field for violation in caught.value.violations] == ["report_format"]
        await lab.client.cancel_evaluation(created.evaluation_id)
        await lab.end_of(created)
        assert await lab.client.report(created.evaluation_id, "html_zip")


# Runs beyond the limit wait for their turn, first come first served.
async def test_runs_wait_for_their_turn(tmp_path: Path) -> None:
    model = Model(compute_s=0.01)
    async with (
        model_service(model) as service,
        evaluating(address_of(service), tmp_path, evaluator_max_runs=1) as lab,
    ):
        created = [await lab.create(suite(4), request_id=name) for name in ("a", "b", "c")]
        assert created[-1].state is EvaluationState.QUEUED
        ended = [await lab.end_of(evaluation) for evaluation in created]
        times = [evaluation.end_time for evaluation in ended]
        assert times == sorted(times)  # type: ignore[type-var]
        assert {evaluation.state for evaluation in ended} == {EvaluationState.SUCCEEDED}
