"""From Delphes ROOT files to the figures of a paper, with multi-scale transformers.

One package per stage of the pipeline, in the order in which data flows:
``events`` (reading), ``skim``, ``features``, ``models`` and ``training``, ``evaluation``,
``explanation``, ``figures``. A stage imports nothing from a later one and talks to it through files only.
"""

from jetlens.errors import ConfigError, FileError, JetlensError, JetlensWarning, NoEventsError

__version__ = "0.1.0"

__all__ = ["ConfigError", "FileError", "JetlensError", "JetlensWarning", "NoEventsError", "__version__"]
