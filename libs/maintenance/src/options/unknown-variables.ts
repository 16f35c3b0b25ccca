/**
 * The variables that Kubernetes sets for a Service whose name begins with `maintenance`: they are not meant for the
 * module.
 */
const SERVICE_LINK = /_SERVICE_(?:HOST|PORT)(?:_\w+)?$|_PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO))?)?$/;
/** The variables of the command `run`: those that it sets for its programs, and the one that it reads. */
const RUN_VARIABLES = [
  'MAINTENANCE_WINDOW_ID',
  'MAINTENANCE_BYPASS_URL',
  'MAINTENANCE_BYPASS_HEADER',
  'MAINTENANCE_CHECK_URL',
];
/** Names that differ by more characters are not treated as typos. */
const MAX_DISTANCE = 3;

/** A variable that begins like those of the module, but sets no option. */
export interface UnknownVariable {
  name: string;
  /** The variable that was probably meant. */
  suggestion: string | undefined;
}

/** Finds variables that have no effect, with the known names that are most similar. */
export function findUnknownVariables(environment: NodeJS.ProcessEnv, known: readonly string[]): UnknownVariable[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith('MAINTENANCE_') && !known.includes(name) && !SERVICE_LINK.test(name))
    .filter((name) => !RUN_VARIABLES.includes(name))
    .filter((name) => environment[name]?.trim())
    .map((name) => ({ name, suggestion: findNearest(name, known) }));
}

function findNearest(name: string, known: readonly string[]): string | undefined {
  const distances = known.map((other) => ({ other, distance: getDistance(name, other) }));
  const [nearest] = distances.sort((one, two) => one.distance - two.distance);
  return nearest && nearest.distance <= MAX_DISTANCE ? nearest.other : undefined;
}

/** Returns how many characters have to be added, removed or replaced (Levenshtein). */
function getDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1));
    row = next;
  }
  return row[to.length]!;
}
