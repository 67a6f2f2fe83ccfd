"""`python -m services.cellpose`: Cellpose as a gRPC service; `python -m services.cellpose fetch cpsam`."""

from runtime.model_main import model_main
from services.cellpose.model import CellposeModel
from services.cellpose.settings import CellposeSettings
from services.cellpose.weights import FILES

if __name__ == "__main__":
    model_main(CellposeModel, CellposeSettings, FILES)
