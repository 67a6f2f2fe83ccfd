"""Tries the containers of `docker-compose.yml` with podman: `python -m deploy.trial --help`."""
