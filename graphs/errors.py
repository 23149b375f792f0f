"""The exceptions of stratagraph: one tree, one sentence a message.

::

    StratagraphError                 what a user can mend; printed in one line, exit status 1
    ├── ModelError                   a network that cannot be found, built or run
    │   ├── LayerError               a layer name that matches nothing, an output that is no tensor
    │   └── WeightsError             weights that do not fit the network
    ├── DataError                    images or labels that cannot be found or read
    ├── ActivationError              NaN or infinite features, rows without direction
    ├── GraphError                   a graph that cannot be built or measured: k >= N, one class
    ├── ExportError                  a file that Gephi would misread
    ├── TableError                   a file that is not what a reader expects
    │   ├── CorruptFileError         truncated or damaged
    │   └── SchemaError              another kind or version of table
    ├── PlanError                    a plan that cannot be made, or does not fit the network
    └── RunError                     a run folder that cannot be used
        └── ResourceError            disk, memory or device that is not there

A message says what is wrong, with the value and the reason, and what to do about it.
"""


class StratagraphError(Exception):
    """Base of every error that a user can mend.

    Parameters
    ----------
    problem : str
        What is wrong, with the value and the reason.
    remedy : str
        What to do about it.

    Examples
    --------
    >>> print(GraphError("k=500 needs at least 501 samples, this run has 500", "lower --k"))
    k=500 needs at least 501 samples, this run has 500; lower --k
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return " ".join(f"{self.problem}; {self.remedy}".split())


class ModelError(StratagraphError):
    """A network that cannot be found, built or run."""


class LayerError(ModelError):
    """A layer name that matches nothing, or a layer whose output cannot be used."""


class WeightsError(ModelError):
    """Weights that do not fit the network."""


class DataError(StratagraphError):
    """Images or labels that cannot be found or read."""


class ActivationError(StratagraphError):
    """Features that are not finite or have no direction."""


class GraphError(StratagraphError):
    """A graph that cannot be built or measured."""


class ExportError(StratagraphError):
    """A graph file that would be misread."""


class TableError(StratagraphError):
    """A table file that is not what a reader expects."""


class CorruptFileError(TableError):
    """A truncated or damaged file."""


class SchemaError(TableError):
    """A table of another kind or version."""


class PlanError(StratagraphError):
    """A plan of what to remove that cannot be made, or does not fit the network."""


class RunError(StratagraphError):
    """A run folder that cannot be used."""


class ResourceError(RunError):
    """Disk, memory or a device that is not there."""
