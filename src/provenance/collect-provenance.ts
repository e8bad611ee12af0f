export async function collectProvenance(_: unknown): Promise<void> {}
