"""Small real trainings, as in the tests of training."""

from tests.unit.training.conftest import BOOSTING, TINY, files, model_options, training_config

__all__ = ["BOOSTING", "TINY", "files", "model_options", "training_config"]
