import { trendOf } from './flatness.js';
import type { History } from './history.js';
import type { Verdict } from './judge.js';

/** What has happened, for people. */
export function report(name: string, seed: number, { writes, faults, lives }: History, verdict: Verdict): string {
  const confirmed = writes.filter(({ revision }) => revision !== null).length;
  const refused = writes.filter(({ status }) => status !== null && status !== 200).length;
  const killed = lives.length - 4;
  const lines = [
    `soak on ${name}, SOAK_SEED=${seed}`,
    `  toggles: ${writes.length}, of which ${confirmed} confirmed, ${refused} refused, ${writes.length - confirmed - refused} without an answer`,
    `  answers checked: ${verdict.answers}, of which ${verdict.settled} while all was well and ${verdict.failing} by onStorageFailure; wrong: ${verdict.violations.length}`,
    `  faults: ${faults.length}, and ${killed} instances replaced`,
    ...[...counts(faults.map(({ kind }) => kind))].map(
      ([kind, count]) => `    ${count} x ${kind}${laterBy(verdict.agreement[kind])}`,
    ),
    `  worst time to agreement after a fault: ${Math.max(0, ...Object.values(verdict.agreement))} ms`,
    `  latest sight of a change while all was well: ${Math.round(verdict.worstDelay)} ms`,
    ...lives.map((life) => {
      const trend = trendOf(life);
      const { name: who, policy, answers } = life;
      if (!trend) return `  ${who}, ${policy}: ${answers.length} answers`;
      const { first, last } = trend;
      const change = (what: 'handles' | 'descriptors' | 'listeners'): string =>
        `${first[what]} -> ${last[what]} ${what}`;
      const heap = `${(first.heap / 2 ** 20).toFixed(2)} -> ${(last.heap / 2 ** 20).toFixed(2)} MiB of heap`;
      const counted = [change('handles'), change('descriptors'), change('listeners')].join(', ');
      return `  ${who}, ${policy}: ${answers.length} answers, ${heap}, ${counted}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

function laterBy(milliseconds = 0): string {
  return milliseconds > 0 ? `, seen for ${milliseconds} ms afterwards` : '';
}

function counts(names: string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of names.sort()) found.set(name, (found.get(name) ?? 0) + 1);
  return found;
}
