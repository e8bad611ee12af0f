/** Does something with each value, in order, with `atOnce` of them at most under way. Rejects with the first failure, once the others have ended. */
export async function eachOfSeveral<Value>(
  values: Iterable<Value>,
  atOnce: number,
  work: (value: Value) => Promise<void>,
): Promise<void> {
  const waiting = values[Symbol.iterator]();
  const goOn = async (): Promise<void> => {
    for (let next = waiting.next(); next.done !== true; next = waiting.next()) await work(next.value);
  };
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, goOn));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
