"""`python -m services.sam`: SAM as a gRPC service; `python -m services.sam fetch vit_h` gets its weights."""

from runtime.model_main import model_main
from services.sam.model import SamModel
from services.sam.settings import SamSettings
from services.sam.weights import FILES

if __name__ == "__main__":
    model_main(SamModel, SamSettings, FILES)
