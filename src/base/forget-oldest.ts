/** Bounds what a process remembers: past `most` entries, those that were put in first go. */
export function forgetOldest<K>(
  items: { readonly size: number; keys(): Iterable<K>; delete(key: K): boolean },
  most: number,
): void {
  for (const oldest of items.keys()) {
    if (items.size <= most) return
    items.delete(oldest)
  }
}
