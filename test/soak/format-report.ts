import { computeTrend } from './leak-check.js';
import type { History } from './history.js';
import type { CheckResult } from './response-checker.js';

const INSTANCES = 4;

/** Formats the outcome of a soak for the terminal. */
export function formatReport(
  storage: string,
  seed: number,
  { writes, faults, runs }: History,
  result: CheckResult,
): string {
  const confirmed = writes.filter(({ revision }) => revision !== null).length;
  const refused = writes.filter(({ status }) => status !== null && status !== 200).length;
  const replaced = runs.length - INSTANCES;
  const lines = [
    `soak on ${storage}, SOAK_SEED=${seed}`,
    `  toggles: ${writes.length}, ${confirmed} confirmed, ${refused} refused, ${writes.length - confirmed - refused} without an answer`,
    `  answers checked: ${result.answers}, ${result.healthy} without a fault and ${result.failing} during a storage failure; wrong: ${result.violations.length}`,
    `  faults: ${faults.length}, and ${replaced} instances replaced`,
    ...[...countNames(faults.map(({ kind }) => kind))].map(
      ([kind, count]) => `    ${count} x ${kind}${formatDelay(result.recoveryMs[kind])}`,
    ),
    `  slowest recovery after a fault: ${Math.max(0, ...Object.values(result.recoveryMs))} ms`,
    `  slowest propagation of a change without a fault: ${Math.round(result.worstDelayMs)} ms`,
    ...runs.map((run) => {
      const trend = computeTrend(run);
      const { name, policy, answers } = run;
      if (!trend) return `  ${name}, ${policy}: ${answers.length} answers`;
      const { first, last } = trend;
      const formatChange = (resource: 'handles' | 'descriptors' | 'listeners'): string =>
        `${first[resource]} -> ${last[resource]} ${resource}`;
      const heap = `${(first.heap / 2 ** 20).toFixed(2)} -> ${(last.heap / 2 ** 20).toFixed(2)} MiB of heap`;
      const counted = [formatChange('handles'), formatChange('descriptors'), formatChange('listeners')].join(', ');
      return `  ${name}, ${policy}: ${answers.length} answers, ${heap}, ${counted}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

function formatDelay(delayMs = 0): string {
  return delayMs > 0 ? `, visible for ${delayMs} ms afterwards` : '';
}

function countNames(names: string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names.sort()) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
