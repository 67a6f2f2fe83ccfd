"""Faults of acquisition, five severities each, for any image: how far can a model be trusted then?

The idea of severities is that of Hendrycks and Dietterich, "Benchmarking neural network robustness to common
corruptions and perturbations", ICLR 2019; the faults here are those of microscopes.
"""

from evaluator.corruptions.catalogue import FAULTS, SEVERITIES, Fault, corrupt

__all__ = ["FAULTS", "SEVERITIES", "Fault", "corrupt"]
