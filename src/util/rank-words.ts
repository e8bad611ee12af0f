/** Options whose value differs from rank to rank by its nature. */
const rankName =
  /(?:^|[-_.])(?:rank|node|host|hostname|proc|procid|device|devices|gpu|gpus|worker|machine|address|addr|ip)(?:[-_.](?:id|idx|index|rank|name|num))?$/iu;

/** A command line as all ranks of one start have it in common. */
export function withoutRankWords(command: readonly string[]): readonly string[] {
  return command.map((word, index) => {
    const [name = "", ...value] = word.split("=");
    if (value.length > 0 && rankName.test(name)) return `${name}=`;
    const before = command[index - 1] ?? "";
    return before.startsWith("-") && rankName.test(before) ? "" : word;
  });
}
