# requires: networkx==3.5
"""networkx: paths, components, ranks and centrality of a graph."""

import networkx


def build():
    graph = networkx.Graph()
    number = 12345
    for node in range(150):
        for _ in range(3):
            number = (number * 1103515245 + 12345) % 2**31
            if number % 150 != node:
                graph.add_edge(node, number % 150, weight=number % 17 + 1)
    return graph


GRAPH = build()


def main():
    lengths = networkx.single_source_dijkstra_path_length(GRAPH, 0)
    between = networkx.betweenness_centrality(GRAPH)
    tree = networkx.minimum_spanning_tree(GRAPH)
    return (
        sum(lengths.values()),
        max(between, key=between.get),
        tree.size(weight="weight"),
        networkx.number_connected_components(GRAPH),
        sorted(networkx.core_number(GRAPH).values())[-5:],
    )


if __name__ == "__main__":
    print(main())
