/**
 * At most `count` of the items, spread evenly: the first of each of `count` stretches (SQL's NTILE), and in place of the last one the
 * very last item. As MLflow from 3.17 on samples a metric for its charts.
 */
export function sampleEvenly<Item>(items: readonly Item[], count: number): readonly Item[] {
  if (items.length <= count) return items;
  const size = Math.floor(items.length / count);
  const larger = items.length % count;
  const sampled: Item[] = [];
  for (let bucket = 0; bucket < count; bucket += 1) {
    sampled.push(items[bucket * size + Math.min(bucket, larger)] as Item);
  }
  sampled[count - 1] = items.at(-1) as Item;
  return sampled;
}
