"""`python -m services.openai`: the OpenAI proxy as a gRPC service."""

from runtime.service import serve_model
from services.openai.model import OpenaiModel
from services.openai.settings import OpenaiSettings

if __name__ == "__main__":
    serve_model(OpenaiModel, OpenaiSettings)
