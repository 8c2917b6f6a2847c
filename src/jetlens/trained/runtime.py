"""Setting up the back end before it starts: which one, how many threads, deterministic operations, seeds."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from jetlens.errors import ConfigError


def configure(backend: str = "tensorflow", threads: int = 1) -> None:
    """Choose Keras' back end and its threads; to be called before anything imports Keras.

    Args:
        backend: ``tensorflow``, ``jax`` or ``torch``.
        threads: threads for one operation; what the workflow manager granted.

    Raises:
        ConfigError: if Keras already runs on another back end, or the back end is not installed.
    """
    loaded = sys.modules.get("keras")
    if loaded is not None and loaded.backend.backend() != backend:
        raise ConfigError(
            f"training.backend is '{backend}', but Keras already runs on '{loaded.backend.backend()}' in this "
            "process; start a new one"
        )
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_DEPRECATION_WARNINGS", "0")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if backend == "jax":
        flags = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    try:
        with _hidden(backend):
            import keras  # noqa: F401
        if backend == "tensorflow":
            _configure_tensorflow(threads)
        elif backend == "torch":
            import torch  # type: ignore[import-not-found, unused-ignore]

            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(True, warn_only=True)
        else:
            import jax  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"training.backend: '{backend}' is not installed ({error.name}); install it or use 'tensorflow'"
        ) from error


@contextmanager
def _hidden(backend: str) -> Iterator[None]:
    """Let packages seem absent that Keras and TensorFlow would import for uses that are none of ours.

    They take half of the seconds that a back end takes to start. Who imports them afterwards gets them.
    """
    names = {"jax", "matplotlib", "pandas", "sklearn"} - {backend} - set(sys.modules)
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def _configure_tensorflow(threads: int) -> None:
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow has started in this process, with the threads it then got
        pass
    for device in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(device, True)
        except RuntimeError:
            break
    tf.config.experimental.enable_op_determinism()


def resolve_precision(precision: str) -> str:
    """Return the Keras dtype policy for ``training.precision``; ``auto`` is mixed only where there is a GPU."""
    if precision != "auto":
        return precision
    return "mixed_bfloat16" if gpus() else "float32"


def gpus() -> int:
    """Return the number of GPUs that the running back end sees."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return len(tf.config.list_physical_devices("GPU"))
    if backend == "torch":
        import torch  # type: ignore[import-not-found, unused-ignore]

        return int(torch.cuda.device_count())
    import jax  # type: ignore[import-not-found, unused-ignore]

    return sum(device.platform in ("gpu", "cuda", "rocm") for device in jax.devices())


@contextmanager
def arithmetic(policy: str) -> Iterator[int]:
    """Build and train networks in here under a dtype policy, data-parallel over all devices where there are several.

    Devices share each batch through ``keras.distribution``, which Keras 3 implements for JAX alone: its TensorFlow and
    PyTorch parts are unfinished. There the first GPU is used.

    Args:
        policy: Keras' name of it.

    Yields:
        The number of devices that share a batch.
    """
    import keras

    before = keras.config.dtype_policy()
    devices = keras.distribution.list_devices() if keras.backend.backend() == "jax" else []
    keras.config.set_dtype_policy(policy)
    if len(devices) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    try:
        yield max(1, len(devices))
    finally:
        keras.config.set_dtype_policy(before)
        if len(devices) > 1:
            keras.distribution.set_distribution(None)


def configure_default(backend: str, threads: int = 1) -> None:
    """Configure ``backend`` unless Keras runs already: a stored network loads on any back end."""
    loaded = sys.modules.get("keras")
    configure(backend if loaded is None else loaded.backend.backend(), threads)
