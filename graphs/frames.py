"""Whether a data frame has what a function needs."""

import pandas as pd

from graphs.errors import TableError


def require_columns(table: pd.DataFrame, name: str, columns: list[str]) -> None:
    """Check that a table has rows and columns.

    Parameters
    ----------
    table : DataFrame
        The table.
    name : str
        What it is called in the message.
    columns : list of str
        What it needs.

    Raises
    ------
    TableError
        When a column is missing or the table has no rows.

    Examples
    --------
    >>> require_columns(pd.DataFrame({"layer": ["stem"]}), "layers", ["layer"])
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise TableError(
            f"the table {name} has no column {missing[0]!r}: it has "
            f"{', '.join(map(str, table.columns))}",
            f"it needs {', '.join(columns)}",
        )
    if table.empty:
        raise TableError(f"the table {name} has no rows", "measure at least one layer")
