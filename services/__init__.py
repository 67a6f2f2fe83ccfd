"""The models: one folder, one class, one gRPC service each."""
