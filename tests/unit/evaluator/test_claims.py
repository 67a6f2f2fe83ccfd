from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from evaluator import database
from evaluator import store as store_module
from evaluator.claims import RunTakenError
from evaluator.journal import Line
from evaluator.runs import RunSpec
from evaluator.store import RunStore
from hooke.types import EvaluationState, SampleOutcome
from tests.unit.evaluator.stored import PLAN, RUN, TAG, WAIT_S, answer, opened, outcomes_of, score

pytestmark = pytest.mark.slow  # starts PostgreSQL


@pytest.fixture
def other(tmp_path: Path, postgres_url: SecretStr) -> Iterator[RunStore]:
    """The store of another evaluator, which shares database and folder."""
    store = RunStore(tmp_path, postgres_url)
    yield store
    store.close()


@pytest.fixture
def store(tmp_path: Path, postgres_url: SecretStr) -> Iterator[RunStore]:
    store = RunStore(tmp_path, postgres_url)
    yield store
    store.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def break_connections(url: SecretStr) -> None:
    """End every session of a database but the own one, as a server that restarts does."""
    engine = database.postgresql(url)
    with engine.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid != pg_backend_pid()"
            )
        )
    engine.dispose()


# A run belongs to one evaluator at a time; the others can read it, and have it when it is given back.
def test_one_at_a_time(store: RunStore, other: RunStore) -> None:
    task = opened(store)
    assert store.claim(RUN).result(WAIT_S)
    assert not other.claim(RUN).result(WAIT_S)
    with pytest.raises(RunTakenError):
        other.open(RUN, ["classical"], [PLAN]).result(WAIT_S)
    store.add_prediction(task, answer("s1", count=5), None)
    store.add_score(task, score("s1"), TAG).result(WAIT_S)
    assert other.claimed(RUN)
    assert other.unfinished() == [RUN]
    assert other.predictions(other.tasks(RUN)[0], "s1")["classical"].count == 5
    record = other.get(RUN)
    assert record is not None
    assert record.here
    assert other.evaluation(record).task_progress[0].scored_count == 1
    store.release(RUN).result(WAIT_S)
    assert not other.claim(RUN).result(WAIT_S)
    store.give_back(RUN).result(WAIT_S)
    assert not other.claimed(RUN)
    assert set(outcomes_of(other, opened(other), "classical")) == {"s1"}
    assert not store.claim(RUN).result(WAIT_S)


# What an evaluator leaves behind when it is killed is free at once, and nothing acknowledged is lost.
def test_killed_evaluator_lets_go(tmp_path: Path, postgres_url: SecretStr, store: RunStore) -> None:
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from pydantic import SecretStr
        from evaluator.store import RunStore
        from tests.unit.evaluator.stored import answer, opened

        store = RunStore(Path(sys.argv[1]), SecretStr(sys.argv[2]))
        store.add_prediction(opened(store), answer("s1"), None).result()
        print("there", flush=True)
        time.sleep(60)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path), postgres_url.get_secret_value()],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "there\n"
    assert not store.claim(RUN).result(WAIT_S)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    until(lambda: store.claim(RUN).result(WAIT_S))
    assert outcomes_of(store, opened(store), "classical") == {"s1": SampleOutcome.SCORED}


# A run whose journal lies in another folder is listed and read, but is not taken up here.
def test_run_of_another_folder(tmp_path: Path, postgres_url: SecretStr, store: RunStore) -> None:
    opened(store)
    elsewhere = RunStore(tmp_path / "elsewhere", postgres_url)
    record = elsewhere.get(RUN)
    assert record is not None
    assert not record.here
    assert [run.evaluation_id for run in elsewhere.newest(9)] == [RUN]
    assert elsewhere.unfinished() == []
    store.give_back(RUN).result(WAIT_S)
    assert not elsewhere.claim(RUN).result(WAIT_S)
    elsewhere.close()
    (tmp_path / "elsewhere").rename(tmp_path / "moved")  # a folder is the same wherever it is mounted
    moved = RunStore(tmp_path / "moved", postgres_url)
    moved.create("run-2", RunSpec("r2"), "demo").result(WAIT_S)
    assert moved.unfinished() == ["run-2"]
    moved.close()


# A database that goes away and comes back interrupts nothing: what is handed in meanwhile is written.
def test_broken_connection(postgres_url: SecretStr, store: RunStore, other: RunStore) -> None:
    task = opened(store)
    store.add_prediction(task, answer("s1"), None).result(WAIT_S)
    break_connections(postgres_url)
    pending = [store.add_prediction(task, answer(f"s{number}"), None) for number in range(2, 20)]
    for future in pending:
        future.result(WAIT_S)
    assert len(outcomes_of(store, task, "classical")) == 19
    assert not other.claim(RUN).result(WAIT_S)


# Nor does it interrupt who takes up a run: its index is read again.
def test_broken_while_it_is_taken_up(
    postgres_url: SecretStr, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        store.add_prediction(opened(store), answer(f"s{number}"), None).result(WAIT_S)
    store.release(RUN).result(WAIT_S)
    read_lines = store_module.read_lines

    def meanwhile(folder: Path) -> Iterator[Line]:
        monkeypatch.setattr(store_module, "read_lines", read_lines)
        break_connections(postgres_url)
        yield from read_lines(folder)

    monkeypatch.setattr(store_module, "read_lines", meanwhile)
    monkeypatch.setattr("evaluator.queries._ROWS_AT_ONCE", 1)
    task = opened(store)
    assert store_module.read_lines is read_lines  # it was broken
    assert set(outcomes_of(store, task)) == {"s0", "s1", "s2"}


# A run that another evaluator took while the connection was broken is lost: nothing more is written to it,
# until it is claimed again.
def test_lost_run(postgres_url: SecretStr, store: RunStore, other: RunStore) -> None:
    task = opened(store)
    store.add_prediction(task, answer("s1"), None).result(WAIT_S)
    break_connections(postgres_url)
    assert other.claim(RUN).result(WAIT_S)
    journal = (store.folder(RUN) / "predictions.jsonl").read_bytes()
    with pytest.raises(RunTakenError):
        store.add_prediction(task, answer("s2"), None).result(WAIT_S)
    with pytest.raises(RunTakenError):
        store.set_state(RUN, EvaluationState.FAILED).result(WAIT_S)
    assert (store.folder(RUN) / "predictions.jsonl").read_bytes() == journal
    other.give_back(RUN).result(WAIT_S)
    store.add_prediction(opened(store), answer("s2"), None).result(WAIT_S)


# Nor is anything cut off a journal by who loses its run while taking it up, however late that is noticed.
def test_lost_while_it_is_taken_up(
    postgres_url: SecretStr, store: RunStore, other: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_prediction(opened(store), answer("s1"), None).result(WAIT_S)
    store.release(RUN).result(WAIT_S)
    read_lines = store_module.read_lines

    def meanwhile(folder: Path) -> Iterator[Line]:
        yield from read_lines(folder)
        monkeypatch.setattr(store_module, "read_lines", read_lines)
        break_connections(postgres_url)
        assert other.claim(RUN).result(WAIT_S)
        other.add_prediction(opened(other), answer("s2"), None).result(WAIT_S)

    monkeypatch.setattr(store_module, "read_lines", meanwhile)
    with pytest.raises(RunTakenError):
        store.open(RUN, PLAN.models, [PLAN]).result(WAIT_S)
    assert [line.content["sample_id"] for line in read_lines(store.folder(RUN)) if line.content] == [
        "s1",
        "s2",
    ]
