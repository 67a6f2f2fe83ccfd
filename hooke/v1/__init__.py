"""Generated stubs of the wire, `protos/hooke/v1/`. Made by `make protos`; never edited."""
