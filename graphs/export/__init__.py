"""Graph files that Gephi, Gephi Lite, Cytoscape, igraph and NetworkX read alike.

GraphML carries one layer a file, or their union; GEXF 1.3 carries all layers with time. Every file
is checked by the rules of `check_gephi` before it gets its name.
"""

from graphs.export.attributes import ExportAttributes
from graphs.export.everything import export_dynamic
from graphs.export.gexf import write_dynamic_gexf
from graphs.export.graphml import write_layer_graphml
from graphs.export.layout import joint_layout
from graphs.export.rules import check_gephi
from graphs.export.text import dynamic_file_name, export_file_name, union_file_name
from graphs.export.union import write_union_graphml

__all__ = [
    "ExportAttributes",
    "check_gephi",
    "dynamic_file_name",
    "export_dynamic",
    "export_file_name",
    "joint_layout",
    "union_file_name",
    "write_dynamic_gexf",
    "write_layer_graphml",
    "write_union_graphml",
]
