"""Speed on a GPU: Hooke's batches against the plain loop of each library."""
