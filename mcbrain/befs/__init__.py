"""BEFS for users: plain solver functions and their scikit-learn face."""

from mcbrain.befs.befs_regressor import BEFSRegressor
from mcbrain.befs.brain_encoder import BrainEncoder, EncodingScore

__all__ = ["BEFSRegressor", "BrainEncoder", "EncodingScore"]
