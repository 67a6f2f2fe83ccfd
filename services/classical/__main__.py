"""`python -m services.classical`: the classical model as a gRPC service."""

from runtime.service import serve_model
from services.classical.model import ClassicalModel
from services.classical.settings import ClassicalSettings

if __name__ == "__main__":
    serve_model(ClassicalModel, ClassicalSettings)
