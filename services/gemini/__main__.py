"""`python -m services.gemini`: Google's vision-language models as a gRPC service."""

from runtime.service import serve_model
from services.gemini.model import GeminiModel
from services.gemini.settings import GeminiSettings

if __name__ == "__main__":
    serve_model(GeminiModel, GeminiSettings)
