"""The steps from version to version of the run store's database."""
