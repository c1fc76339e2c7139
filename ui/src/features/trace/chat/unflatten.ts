// Dotted attribute keys back to the value they were written from.
type Branch = Map<string, Branch | { leaf: unknown }>;

/** The value under `prefix`; where all keys are numbers, a list in their order. */
export function unflatten(attributes: Record<string, unknown>, prefix: string): unknown {
  const root: Branch = new Map();
  for (const [key, leaf] of Object.entries(attributes)) {
    if (key.startsWith(prefix)) insert(root, key.slice(prefix.length).split("."), leaf);
  }
  return root.size === 0 ? undefined : toValue(root);
}

function insert(root: Branch, path: readonly string[], leaf: unknown): void {
  let at = root;
  for (const step of path.slice(0, -1)) {
    const next = at.get(step);
    if (next instanceof Map) at = next;
    else {
      const made: Branch = new Map();
      at.set(step, made);
      at = made;
    }
  }
  const last = path.at(-1) ?? "";
  if (!(at.get(last) instanceof Map)) at.set(last, { leaf });
}

function toValue(node: Branch | { leaf: unknown }): unknown {
  if (!(node instanceof Map)) return node.leaf;
  const entries = [...node].map(([key, child]) => [key, toValue(child)] as const);
  if (entries.every(([key]) => /^\d+$/.test(key))) {
    return entries.toSorted((a, b) => Number(a[0]) - Number(b[0])).map(([, value]) => value);
  }
  return Object.fromEntries(entries);
}
