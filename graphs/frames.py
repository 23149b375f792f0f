"""Whether a data frame has what a function needs, and no more."""

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


def require_one(table: pd.DataFrame, name: str, columns: list[str]) -> None:
    """Check that a table is of one variant, of one run.

    Parameters
    ----------
    table : DataFrame
        The table.
    name : str
        What it is called in the message.
    columns : list of str
        What may say one thing only, such as ``variant``; columns may be missing.

    Raises
    ------
    TableError
        When one of them has several values.

    Examples
    --------
    >>> require_one(pd.DataFrame({"variant": ["clean", "clean"]}), "layers", ["variant", "run"])
    """
    for column in columns:
        if column not in table.columns:
            continue
        found = table[column].unique()
        if len(found) > 1:
            raise TableError(
                f"the table {name} holds {len(found)} {column}s: {', '.join(map(str, found))}",
                f"select one, {name}[{name}[{column!r}] == {str(found[0])!r}]",
            )
