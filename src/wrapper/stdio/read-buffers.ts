/** Bytes of one read. */
export const readBytes = 64 * 1024;
/** Less than this is better copied than kept in a buffer of its own. */
const worthKeepingBytes = 16 * 1024;

/**
 * The memory that output is read into, used again and again: a gigabyte of fresh buffers would leave a hundred megabytes for the
 * garbage collector.
 */
export class ReadBuffers {
  readonly #free: Buffer[] = [];
  #current: Buffer | undefined;

  /** Where the next read goes: the same as before, unless that was kept. */
  next(): Buffer {
    this.#current ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(readBytes);
    return this.#current;
  }

  /**
   * What was read last, to be kept by somebody else until `release` is called; small ones are copied. `chunk` lies at the beginning
   * of what `next` gave.
   */
  keep(chunk: Buffer): { readonly chunk: Buffer; readonly release?: () => void } {
    const whole = this.#current;
    if (whole === undefined || chunk.buffer !== whole.buffer || chunk.length < worthKeepingBytes)
      return { chunk: Buffer.from(chunk) };
    this.#current = undefined;
    return { chunk, release: () => this.#free.push(whole) };
  }
}
