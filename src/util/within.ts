/** What the promise resolves to, or `undefined` where that takes longer than `timeoutMs`; it may fail later without a word. */
export async function within<Value>(promise: Promise<Value>, timeoutMs: number): Promise<Value | undefined> {
  promise.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), timeoutMs)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
