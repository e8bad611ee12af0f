/** Written once per run and key. */
export interface Param {
  readonly key: string;
  readonly value: string;
}
