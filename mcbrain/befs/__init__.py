"""BEFS for users' own data: scikit-learn estimators over plain solver functions."""

from mcbrain.befs.befs_classifier import BEFSClassifier
from mcbrain.befs.befs_regressor import BEFSRegressor
from mcbrain.befs.brain_encoder import BrainEncoder, EncodingScore
from mcbrain.befs.brain_regularised import BrainRegularised

__all__ = ["BEFSClassifier", "BEFSRegressor", "BrainEncoder", "BrainRegularised", "EncodingScore"]
