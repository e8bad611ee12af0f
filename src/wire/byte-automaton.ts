const alphabet = 256;

/**
 * Aho-Corasick over bytes: one table look-up a byte finds every place where one of the patterns ends.
 * A state is an offset into `next`, 0 at the start; a step to a state that ends a pattern is stored as its complement (`~state`).
 */
export interface ByteAutomaton {
  readonly next: Int32Array;
  /** Indexes of the patterns that end in a state, the longest first. */
  patternsAt(state: number): readonly number[];
  /** Length of the longest beginning of a pattern, not the whole of one, that ends here; bytes. */
  depthOf(state: number): number;
}

interface Node {
  readonly children: Map<number, number>;
  depth: number;
  readonly patterns: number[];
}

/** `patterns` must not be empty strings. */
export function buildByteAutomaton(patterns: readonly Uint8Array[]): ByteAutomaton {
  const nodes = buildTrie(patterns);
  return {
    next: linkFailures(nodes),
    patternsAt: (state) => nodes[state / alphabet]!.patterns,
    depthOf: (state) => nodes[state / alphabet]!.depth,
  };
}

function buildTrie(patterns: readonly Uint8Array[]): Node[] {
  const nodes: Node[] = [{ children: new Map(), depth: 0, patterns: [] }];
  patterns.forEach((pattern, index) => {
    let current = nodes[0]!;
    for (const byte of pattern) {
      const known = current.children.get(byte);
      if (known === undefined) {
        current.children.set(byte, nodes.length);
        current = { children: new Map(), depth: current.depth + 1, patterns: [] };
        nodes.push(current);
      } else {
        current = nodes[known]!;
      }
    }
    current.patterns.push(index);
  });
  return nodes;
}

/** The complete table; also hands each node the patterns of its failure chain. */
function linkFailures(nodes: readonly Node[]): Int32Array {
  const next = new Int32Array(nodes.length * alphabet);
  const queue: { readonly index: number; readonly failure: number }[] = [{ index: 0, failure: 0 }];
  for (const { index, failure } of queue) {
    const node = nodes[index]!;
    if (index !== 0) {
      next.copyWithin(index * alphabet, failure * alphabet, (failure + 1) * alphabet);
      node.patterns.push(...nodes[failure]!.patterns);
      if (node.children.size === 0) node.depth = nodes[failure]!.depth;
    }
    for (const [byte, child] of node.children) {
      const step = next[index * alphabet + byte]!;
      const childFailure = index === 0 ? 0 : (step < 0 ? ~step : step) / alphabet;
      queue.push({ index: child, failure: childFailure });
      const endsPattern = nodes[child]!.patterns.length > 0 || nodes[childFailure]!.patterns.length > 0;
      next[index * alphabet + byte] = endsPattern ? ~(child * alphabet) : child * alphabet;
    }
  }
  return next;
}
