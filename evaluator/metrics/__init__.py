"""The metrics: from an answer and its truth to numbers with intervals."""
