"""Datasets through models, scored: a gRPC service and its batch runner."""
