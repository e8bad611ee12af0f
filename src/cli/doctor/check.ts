/** One line of `track doctor`: what is well, or what to do about it. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  /** What to type or do; only where something is to be done. */
  readonly hint?: string;
}

export const well = (name: string, message: string): Check => ({ name, ok: true, message });

export const unwell = (name: string, message: string, hint: string): Check => ({ name, ok: false, message, hint });
