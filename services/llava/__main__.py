"""`python -m services.llava`: LLaVA and its kin as a gRPC service; `... fetch ID` gets a checkpoint."""

from runtime.model_main import model_main
from services.llava.model import LlavaModel
from services.llava.settings import LlavaSettings
from services.llava.weights import fetch

if __name__ == "__main__":
    model_main(LlavaModel, LlavaSettings, fetch)
