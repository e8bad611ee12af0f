/** What loggers put before the message. Each is matched at the beginning, again and again. */
const prefixes: readonly RegExp[] = [
  // 2024-01-31 12:00:05,123+01:00, also in brackets, with T, with slashes
  /^[[(]?\d{4}[-/]\d\d[-/]\d\d(?:[T ,]\s?\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|\s?[+-]\d\d:?\d\d| UTC)?)?[\])]?/u,
  /^[[(]?\d\d[-/]\d\d[-/]?(?:\d{2,4})?[ ,]\s?\d\d:\d\d:\d\d(?:[.,]\d+)?(?: [AP]M)?[\])]?/u,
  /^[[(]?\d\d?:\d\d:\d\d(?:[.,]\d+)?(?: [AP]M)?[\])]?/u,
  /^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d\d? \d\d:\d\d:\d\d(?: \d{4})?/u,
  // glog, absl
  /^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w./-]+:\d+\]/u,
  /^[[(<]?(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL|NOTICE|TRACE|SUCCESS|debug|info|warning|Info|Warning)[\])>]?(?:(?=[\s|[-]|$)|:[\w.]+:|:)/u,
  // ranks of torchrun, mpirun, Lightning
  /^\[(?:default|rank)\d+\]:?(?=\s)|^\[\d+,\d+\]<std\w+>:?|^\[rank: ?\d+\]/u,
  // [trainer.py:123], (train.py:12), train.py:12, [root], [my.module]
  /^[[(][\w./<>-]+(?:\.py)?:\d+[\])]|^[\w./-]+\.py:\d+:?|^\[(?!(?:train|val|test|eval|dev)[a-z]*\])[a-zA-Z_][\w.]*\](?=[\s:])/iu,
  // my.module.name: and root - , a dot or the dash behind it needed
  /^[a-zA-Z_]\w*(?:\.\w+)+(?::\w*)?(?:\s*:|(?=\s+[-|]))/u,
  /^[a-zA-Z_]\w*(?=\s+-\s+(?:DEBUG|INFO|WARN|ERROR))/u,
  /^(?!(?:train|val|test|eval|dev)[a-z]*\s)[a-zA-Z_]\w*(?=\s+-\s)/iu,
  /^[-|:]+(?=\s)/u,
];

/** `epoch 3`, `loss: 0.5`, `step=3`: most lines with metrics have nothing before them. */
const startsWithPair = /^[a-z_]\w*[ =:]\s?[\d.[(]/iu;

/** Where the message of a log line begins. */
export function messageStart(line: string): number {
  let at = line.length - line.trimStart().length;
  if (startsWithPair.test(line)) return at;
  for (let rounds = 0; rounds < 8; rounds += 1) {
    const rest = line.slice(at, at + 200);
    const found = prefixes.map((prefix) => prefix.exec(rest)).find((match) => match !== null);
    if (found === undefined || found === null || found[0] === "") return at;
    at += found[0].length;
    at += line.slice(at).length - line.slice(at).trimStart().length;
  }
  return at;
}
