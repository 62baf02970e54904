"""Small XML as a tree, and values found by path. Pure."""

from collections.abc import Iterator

from pipeline.reader.xml import walk


class Node:
    """An element by its local name, with its attributes, those within it, and the text that is its own."""

    __slots__ = ("attrs", "inner", "name", "said")

    def __init__(self, name: str, attrs: dict[str, str]) -> None:
        self.name = name
        self.attrs = attrs
        self.inner: list[Node] = []
        self.said = ""

    def all(self, path: str) -> list["Node"]:
        """The nodes at `A/B|C/D`, where B|C is either name, and `A:VAT` an A of the tax scheme VAT."""
        nodes = [self]
        for step in path.split("/"):
            named, _, scheme = step.partition(":")
            found = [inner for node in nodes for inner in node.inner if inner.name in named.split("|")]
            nodes = [node for node in found if not scheme or scheme in node.values("TaxScheme/ID")]
        return nodes

    def values(self, path: str) -> Iterator[str]:
        """Texts at a path; with `@unitCode` at its end that attribute, with `@VAT` those of that tax scheme alone."""
        where, _, told = path.partition("@")
        yield from (value for node in self.all(where) if (value := node.value(told)))

    def value(self, told: str) -> str:
        if told and told in self.attrs:
            return self.attrs[told]
        return self.said if not told or self.attrs.get("schemeID") == told else ""


def tree(xml: bytes, what: str) -> Node:
    """The root.

    Raises:
        Unreadable: as `walk` does.
    """
    top = Node("", {})
    open_nodes = [top]

    def start(name: str, attrs: dict[str, str]) -> None:
        node = Node(name, attrs)
        open_nodes[-1].inner.append(node)
        open_nodes.append(node)

    def end(_: str) -> None:
        open_nodes.pop()

    def text(said: str) -> None:
        open_nodes[-1].said += said

    walk([xml], what, start=start, end=end, text=text)
    return top.inner[0]
