/** Whether the action succeeds within `timeoutMs`; it goes on all the same. */
export async function succeedsWithin(action: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([action.then(() => true), late]);
  } catch {
    // Whoever wants to know why waits for the action itself.
    return false;
  } finally {
    clearTimeout(timer);
  }
}
