"""Checkpoints: what is served, what is refused, and how they are fetched."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from runtime.accelerators import Accelerator
from runtime.settings import SettingsError
from runtime.weights import WeightsError
from services.llava import checkpoint as checkpoints
from services.llava.model import LlavaModel
from tests.integration.services.llava.conftest import Stage
from tests.integration.services.llava.lab import ask, micrograph, score, turn
from tests.tiny.llava import VICUNA_TEMPLATE, build_llava, settings_of

pytestmark = pytest.mark.torch

CARD = "---\nlicense: llama2\ntags: [vision]\n---\n# A model\n"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def copy(llava: Stage, tmp_path: Path) -> Path:
    """A checkpoint that a test may change."""
    return Path(shutil.copytree(llava.folder, tmp_path / "tiny"))


def load(folder: Path) -> LlavaModel:
    model = LlavaModel.from_settings(settings_of(folder))
    model.load()
    return model


def save(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


# Version, digest, licence and device stand in the card; the digest is that of the weights.
def test_the_card_says_what_is_served(copy: Path) -> None:
    (copy / "README.md").write_text(CARD)
    record = copy / ".cache/huggingface/download/config.json.metadata"
    record.parent.mkdir(parents=True)
    record.write_text(f"{COMMIT}\netag\n0\n")
    card = LlavaModel.from_settings(settings_of(copy)).load()
    assert card.version == f"tiny@{COMMIT[:12]}"
    assert card.licences.weights == "llama2"
    assert card.device == "cpu"
    weights = load_file(copy / "model.safetensors")
    weights[next(name for name in weights if name.endswith("lm_head.weight"))][0, 0] += 1
    save(copy, weights)
    assert LlavaModel.from_settings(settings_of(copy)).load().weights_digest != card.weights_digest


@pytest.mark.parametrize(
    "text", ["", "no head", "---\nlicense: [\n---\n", "---\n- a\n---\n", "---\ntags: a\n---\n"]
)
def test_a_licence_that_is_not_told(copy: Path, text: str) -> None:
    """Without a legible model card the user is sent to it, not told a wrong licence."""
    (copy / "README.md").write_text(text)
    card = LlavaModel.from_settings(settings_of(copy)).load()
    assert card.licences.weights == checkpoints.UNKNOWN_LICENCE


# A folder under the folder of all weights will do as well as an absolute one.
def test_a_checkpoint_in_the_folder_of_weights(llava: Stage) -> None:
    settings = settings_of(llava.folder, weights_dir=llava.folder.parent, llava_checkpoint=llava.folder.name)
    assert LlavaModel.from_settings(settings).load().version == "llava"


# What is not there is told with the command that gets it.
def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    for checkpoint, name in (
        ("llava-hf/llava-1.5-7b-hf", "llava-hf/llava-1.5-7b-hf"),
        ("llava-hf/llava-v1.6-mistral-7b-hf", "llava-hf/llava-v1.6-mistral-7b-hf"),
        ("/no/such/folder", "llava-hf/llava-1.5-7b-hf"),
    ):
        settings = settings_of(tmp_path, weights_dir=tmp_path, llava_checkpoint=checkpoint)
        with pytest.raises(WeightsError, match=f"python -m services.llava fetch {name}\n"):
            LlavaModel.from_settings(settings).load()


# A tensor that is missing or has another shape would be made up of random numbers: it is refused.
def test_a_checkpoint_that_is_not_whole(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    name = next(key for key in weights if key.endswith("layers.1.mlp.up_proj.weight"))
    tensor = weights.pop(name)
    save(copy, weights)
    with pytest.raises(WeightsError, match=r"lacks 1 of the weights.*up_proj"):
        load(copy)
    save(copy, {**weights, name: tensor[1:].clone()})
    with pytest.raises(WeightsError, match="up_proj"):
        load(copy)


@pytest.mark.parametrize("file_name", ["model.safetensors", "tokenizer.json", "config.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"not what it should be"])
def test_a_file_that_is_damaged(copy: Path, file_name: str, content: bytes) -> None:
    """The error names the folder and how to get the checkpoint again."""
    (copy / file_name).write_bytes(content)
    with pytest.raises(WeightsError, match=r"fetch llava-hf/llava-1\.5-7b-hf"):
        load(copy)


# A checkpoint that brings no template is asked as LLaVA 1.5 was taught.
def test_a_checkpoint_without_a_template(tmp_path: Path, llava: Stage) -> None:
    model = load(build_llava(tmp_path / "bare", chat_template=None))
    task = ask(turn("What is in the image?", micrograph(1)), instructions="Be brief.")
    assert model.answer([task])[0].text == llava.library.answer(task)
    scored = score("?", micrograph(1), labels=("cell", "few nuclei"))
    assert model.score([scored])[0].probabilities == pytest.approx(
        llava.model.score([scored])[0].probabilities, abs=1e-6
    )


@pytest.mark.parametrize(
    "template",
    [
        VICUNA_TEMPLATE.replace("{{ message.content[0].text + ' ' }}", ""),
        VICUNA_TEMPLATE.replace("{{ message.content[0].text + ' ' }}", "{{ raise_exception('no system') }}"),
    ],
)
def test_a_template_without_instructions(tmp_path: Path, llava: Stage, template: str) -> None:
    """Where a template drops or refuses instructions, they stand before the first question."""
    model = load(build_llava(tmp_path / "strict", chat_template=template))
    task = ask(turn("What is it?", micrograph(1)), instructions="Be brief.")
    same = ask(turn("Be brief.\nWhat is it?", micrograph(1)))
    assert model.answer([task])[0].text == llava.library.answer(same)


# Fewer bits need a GPU and a library; what is missing is said.
@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_fewer_bits_are_refused_where_they_cannot_be(
    llava: Stage, quantization: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(llava.folder, llava_quantization=quantization)
    with pytest.raises(SettingsError, match=r"HOOKE_LLAVA_QUANTIZATION: \dbit needs an NVIDIA GPU"):
        LlavaModel.from_settings(settings).load()
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    gpu = Accelerator(torch.device("cuda", 0), torch.float32, "cuda:0")
    with pytest.raises(SettingsError, match=r"pip install 'hooke\[llava-quantized\]'"):
        checkpoints.load(llava.folder, settings, gpu)


# In bfloat16 it runs too, and says so.
def test_half_precision(llava: Stage) -> None:
    model = LlavaModel.from_settings(settings_of(llava.folder, precision="bfloat16"))
    assert model.load().device == "cpu (bfloat16)"
    tasks = [ask(turn("?", micrograph(seed))) for seed in range(3)]
    answers = model.answer(tasks)
    assert all(answer.text for answer in answers)
    used = {parameter.name: parameter.value for parameter in answers[0].parameters}
    assert used["precision"] == "bfloat16"


# `fetch` brings a checkpoint from the Hub, only the files that it needs, at the commit that was asked for.
def test_fetch(copy: Path, tmp_path: Path) -> None:
    (copy / "pytorch_model.bin").write_bytes(b"pickled code")
    with serving_hub(copy) as hub:
        done = run_fetch(hub, "tiny/llava", tmp_path / "weights")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "weights/tiny/llava")
    assert COMMIT in done.stderr
    settings = settings_of(tmp_path, weights_dir=tmp_path / "weights", llava_checkpoint="tiny/llava")
    assert LlavaModel.from_settings(settings).load().version == f"llava@{COMMIT[:12]}"
    assert not (tmp_path / "weights/tiny/llava/pytorch_model.bin").exists()


# Weights that are not what was published are not kept; a second attempt fetches them again.
def test_fetch_checks_what_it_got(copy: Path, tmp_path: Path) -> None:
    with serving_hub(copy) as hub:
        hub.damaged = True
        done = run_fetch(hub, "tiny/llava", tmp_path / "weights")
        assert done.returncode == 2
        assert "not what was published" in done.stderr
        assert not (tmp_path / "weights/tiny/llava/model.safetensors").exists()
        hub.damaged = False
        assert run_fetch(hub, "tiny/llava", tmp_path / "weights").returncode == 0
    assert (tmp_path / "weights/tiny/llava/model.safetensors").is_file()


# Names that cannot be, and checkpoints that are not there, are told without a traceback.
def test_fetch_says_what_is_wrong(copy: Path, tmp_path: Path) -> None:
    with serving_hub(copy) as hub:
        for name in ("llava", "no/such", "tiny/llava@other"):
            done = run_fetch(hub, name, tmp_path / "weights")
            assert done.returncode == 2, done.stderr
            assert name in done.stderr
            assert "Traceback" not in done.stderr


@dataclass
class Hub:
    """What the server of a test publishes: the files of a folder as one checkpoint, tiny/llava."""

    folder: Path
    address: str = ""
    damaged: bool = False

    @property
    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}

    def entries(self, name: str) -> list[dict[str, object]]:
        """The files as the Hub lists them."""
        return [
            {
                name: file,
                "type": "file",
                "oid": hashlib.sha1(content).hexdigest(),  # what git calls it
                "size": len(content),
                "blobId": "0",
                "lfs": {
                    "oid": _sha256(content),
                    "sha256": _sha256(content),
                    "size": len(content),
                    "pointerSize": 1,
                }
                if file.endswith((".safetensors", ".bin"))
                else None,
            }
            for file, content in self.files.items()
        ]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def serving_hub(folder: Path) -> Iterator[Hub]:
    """A server that speaks as much of the Hub's HTTP as a download needs."""
    hub = Hub(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._reply(body=False)

        def do_GET(self) -> None:
            self._reply(body=True)

        def _reply(self, *, body: bool) -> None:
            path = self.path.partition("?")[0]
            if path in {"/api/models/tiny/llava", f"/api/models/tiny/llava/revision/{COMMIT}"}:
                info = {"id": "tiny/llava", "sha": COMMIT, "siblings": hub.entries("rfilename")}
                return self._send(200, json.dumps(info).encode(), body=body)
            if path == f"/api/models/tiny/llava/tree/{COMMIT}":
                return self._send(200, json.dumps(hub.entries("path")).encode(), body=body)
            prefix, _, name = path.rpartition("/")
            content = hub.files.get(name)
            if prefix != f"/tiny/llava/resolve/{COMMIT}" or content is None:
                return self._send(404, b"", body=body, error="RepoNotFound")
            etag = _sha256(content)
            if hub.damaged and name.endswith(".safetensors"):
                content = bytes(len(content))
            return self._send(200, content, body=body, etag=etag)

        def _send(self, status: int, content: bytes, *, body: bool, etag: str = "", error: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("X-Repo-Commit", COMMIT)
            if etag:
                self.send_header("ETag", f'"{etag}"')
            if error:
                self.send_header("X-Error-Code", error)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run_fetch(hub: Hub, name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command against the server."""
    return subprocess.run(
        [sys.executable, "-m", "services.llava", "fetch", name, "--dir", str(folder)],
        env={
            **os.environ,
            "HF_ENDPOINT": hub.address,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
