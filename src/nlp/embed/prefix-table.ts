/** Prefix search over character codes. */
export interface PrefixTable {
  /** Node after `node` by `code`, or 0 when no entry goes on that way. The root is node 1. */
  step(node: number, code: number): number;
  /** Row of the entry that ends at `node`, or -1. */
  rowAt(node: number): number;
}

/**
 * A trie whose edges lie in one open-addressing hash table (linear probing, load under one half), so that a step
 * costs a multiplication and one or two reads whatever the fan-out. `keys` maps each entry to its row.
 */
export function createPrefixTable(keys: ReadonlyMap<string, number>): PrefixTable {
  let edgesAtMost = 1;
  for (const key of keys.keys()) edgesAtMost += key.length;
  const bits = Math.max(4, Math.ceil(Math.log2(edgesAtMost * 2)));
  const mask = 2 ** bits - 1;
  const shift = 32 - bits;
  const froms = new Int32Array(mask + 1);
  const codes = new Uint16Array(mask + 1);
  const targets = new Int32Array(mask + 1);
  const rows = new Int32Array(edgesAtMost + 2).fill(-1);
  let nodes = 1;

  /** Slot of the edge, or of the hole where it belongs. */
  const slotOf = (node: number, code: number): number => {
    let slot = Math.imul(Math.imul(node, 0x9e3779b1) ^ code, 0x85ebca6b) >>> shift;
    while (froms[slot] !== 0 && (froms[slot] !== node || codes[slot] !== code)) slot = (slot + 1) & mask;
    return slot;
  };

  for (const [key, row] of keys) {
    let node = 1;
    for (let at = 0; at < key.length; at += 1) {
      const code = key.charCodeAt(at);
      const slot = slotOf(node, code);
      if (froms[slot] === 0) {
        nodes += 1;
        froms[slot] = node;
        codes[slot] = code;
        targets[slot] = nodes;
      }
      node = targets[slot] ?? 0;
    }
    rows[node] = row;
  }

  return {
    step: (node, code) => targets[slotOf(node, code)] ?? 0,
    rowAt: (node) => rows[node] ?? -1,
  };
}
