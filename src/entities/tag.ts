/** A run tag or an experiment tag; the last value set wins. */
export interface Tag {
  readonly key: string;
  readonly value: string;
}
