"""`python -m gateway`: one address for every model."""

from gateway.app import serve
from gateway.settings import GatewaySettings
from runtime.server import main

if __name__ == "__main__":
    main(GatewaySettings, serve)
