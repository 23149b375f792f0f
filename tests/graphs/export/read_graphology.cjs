// Read a graph file with graphology's parsers, the ones of Gephi Lite, and print it as JSON.
const fs = require('node:fs');
const { UndirectedGraph } = require('graphology');
const graphml = require('graphology-graphml');
const gexf = require('graphology-gexf');

const path = process.argv[2];
const format = path.endsWith('.gexf') ? gexf : graphml;
const options = { addMissingNodes: true, allowUndeclaredAttributes: true };
const graph = format.parse(UndirectedGraph, fs.readFileSync(path, 'utf8'), options);
process.stdout.write(
  JSON.stringify({
    graph: graph.getAttributes(),
    nodes: Object.fromEntries(graph.mapNodes((node, attributes) => [node, attributes])),
    edges: graph.mapEdges((edge, attributes, source, target) => [source, target, attributes]),
  }),
);
