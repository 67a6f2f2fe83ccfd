"""The local topology: compose file, stack runner, container images."""
