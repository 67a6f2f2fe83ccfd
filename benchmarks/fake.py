"""A model service whose model knows nothing, `python -m benchmarks.fake`: every step of a real one."""

from runtime.fakes import FakeModel
from runtime.service import serve_model
from runtime.settings import ModelServerSettings

if __name__ == "__main__":
    serve_model(FakeModel, ModelServerSettings)
