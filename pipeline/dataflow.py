"""Which way do data go through a computation? Read off autograd's graph."""

from collections.abc import Collection

from torch.autograd.graph import Node

CONCATENATIONS = ("CatBackward", "StackBackward")


def on_every_path(output: Node, sources: Collection[Node]) -> set[Node] | None:
    """Find the steps that every path from the sources to the output passes.

    Parameters
    ----------
    output : Node
        ``grad_fn`` of the result.
    sources : collection of Node
        ``grad_fn`` of what went in.

    Returns
    -------
    set of Node or None
        None when the output does not depend on the sources, as far as autograd saw.

    Notes
    -----
    In topological order a step lies on every path exactly when no edge spans it.

    Examples
    --------
    >>> import torch
    >>> x = torch.ones(1, requires_grad=True) * 1
    >>> y = x * 2
    >>> z = y + y.relu()
    >>> steps = on_every_path(z.grad_fn, [x.grad_fn])
    >>> y.grad_fn in steps, len(steps)
    (True, 3)
    """
    order = _topological(output, sources)
    if not order:
        return None
    position = {node: index for index, node in enumerate(order)}
    passed: set[Node] = set()
    farthest = 0
    for index, node in enumerate(order):
        if farthest <= index:
            passed.add(node)
        if node in sources:
            # What was fed in is one thing, wherever it enters.
            farthest = len(order)
        else:
            ends = (position[n] for n, _ in node.next_functions if n in position)
            farthest = max(farthest, max(ends, default=0))
    return passed


def side_branches(output: Node, sources: Collection[Node]) -> list[set[Node]]:
    """Find the branches that data go around and that join them again, value by value.

    Parameters
    ----------
    output, sources
        As in `on_every_path`.

    Returns
    -------
    list of set of Node
        For each step that takes data in several ways, and for each way, the steps that only this
        way has. Concatenation is no such step: a branch that gives what it is given is one more
        copy there, not twice the data.

    Examples
    --------
    >>> import torch
    >>> x = torch.ones(1, requires_grad=True) * 1
    >>> inner = x.relu()
    >>> side_branches((x + inner).grad_fn, [x.grad_fn]) == [{inner.grad_fn}]
    True
    """
    order = _topological(output, sources)
    place = {node: index for index, node in enumerate(order)}
    above: dict[Node, int] = {}  # what a step depends on, itself included, as the bits of a number
    found = []
    for node in reversed(order):
        before = list(dict.fromkeys(n for n, _ in node.next_functions if n in place))
        before = [] if node in sources else before
        above[node] = 1 << place[node]
        for one in before:
            above[node] |= above[one]
        if len(before) < 2 or node.name().startswith(CONCATENATIONS):
            continue
        for one in before:
            others = 0
            for other in before:
                others |= above[other] if other is not one else 0
            own = above[one] & ~others
            found.append({step for step in order if own >> place[step] & 1})
    return [branch for branch in found if branch]


def _topological(output: Node, sources: Collection[Node]) -> list[Node]:
    """Nodes on some path from `output` back to a source, each before what it depends on."""
    leads: dict[Node, bool] = {}
    finished: list[Node] = []
    stack: list[tuple[Node, bool]] = [(output, False)]
    while stack:
        node, done = stack.pop()
        if done:
            below = (leads.get(n, False) for n, _ in node.next_functions if n is not None)
            leads[node] = node in sources or any(below)
            if leads[node]:
                finished.append(node)
        elif node not in leads:
            leads[node] = False
            stack.append((node, True))
            if node not in sources:
                stack.extend((n, False) for n, _ in node.next_functions if n is not None)
    return finished[::-1]
