/** As many answers are remembered; then it begins anew. */
const MAX_ENTRIES = 10_000;

/**
 * Remembers what was found out about strings that come again and again, such as the addresses of clients. What it holds is bounded,
 * however many strings somebody makes up.
 *
 * @param findOut - gives the same answer for the same string, always
 * @param longest - what is longer is found out each time
 */
export function memoize<Answer extends string | boolean>(
  findOut: (text: string) => Answer,
  longest: number,
): (text: string) => Answer {
  const known = new Map<string, Answer>();
  return (text) => {
    const remembered = known.get(text);
    if (remembered !== undefined) return remembered;
    const answer = findOut(text);
    if (text.length > longest) return answer;
    if (known.size === MAX_ENTRIES) known.clear();
    known.set(copyString(text), answer);
    return answer;
  };
}

/** A piece that was cut out of a text keeps the whole text in memory: a path its query, an address all that a header said. */
function copyString(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string;
}
