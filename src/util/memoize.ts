/**
 * A function of a text that remembers its answers: logs say the same few names a million times. Forgets all of them once there
 * are `most`.
 */
export function memoize<Answer>(answer: (text: string) => Answer, most = 10_000): (text: string) => Answer {
  const known = new Map<string, { readonly answer: Answer }>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found.answer;
    const made = { answer: answer(text) };
    if (known.size >= most) known.clear();
    known.set(text, made);
    return made.answer;
  };
}
