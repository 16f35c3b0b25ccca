import type { DrainReport } from '../../drain/drain-report.js';
import { redactCredentials } from '../../utils/redact-credentials.js';
import { formatDuration } from '../duration.js';
import { quote } from '../interruption.js';
import type { ChangeReport } from '../maintenance-commands.js';
import { formatDisagreements } from '../print-agreement.js';
import { formatAgreement } from '../print-instances.js';
import { toChangeJson } from '../print.js';
import { formatSection, formatStorageSection } from '../sections.js';

/** A step of `run` and its duration. */
export interface RunStep {
  name: 'start' | 'drain' | 'command' | 'check' | 'end' | 'keep';
  /** In milliseconds. */
  elapsed: number;
}

/**
 * The window at the end of `run`: ended by it, left on by it, ended before by another operator or at its own end, or
 * unknown since the storage failed.
 */
export type RunOutcome = 'ended' | 'kept' | 'ended-before' | 'unknown';

/** The result of `run` for --json. */
export interface RunResult {
  window: string;
  outcome: RunOutcome;
  exitCode: number;
  steps: readonly RunStep[];
  /** The report of the last change; missing if the storage failed. */
  report?: ChangeReport;
  /** The bypass token, with --bypass. */
  token?: string;
  drain?: DrainReport;
  error?: string;
}

const SHORT_MS = 60_000;

/** Formats how long each step took, and all together. */
export function formatSteps(steps: readonly RunStep[]): string[] {
  const total = steps.reduce((sum, { elapsed }) => sum + elapsed, 0);
  const rows = [...steps.map(({ name, elapsed }) => [name, elapsed] as const), ['total', total] as const];
  const formatted = rows.map(([name, elapsed]) => `${name.padEnd(8)} ${formatElapsed(elapsed).padStart(8)}`);
  return formatSection('steps', formatted);
}

/** Formats the storage after the last change, and the instances that do not apply it. */
export function formatEndOfRun(report: ChangeReport): string[] {
  // Before the command, the report of the start has warned if no instance reports.
  const agreement = report.agreement?.instances.length ? formatAgreement(report) : [];
  return [...formatDisagreements(report), '', ...formatStorageSection(report, agreement)];
}

// Most steps take less than a second.
function formatElapsed(milliseconds: number): string {
  return milliseconds < SHORT_MS ? `${(milliseconds / 1_000).toFixed(1)} s` : formatDuration(milliseconds);
}

/** Formats a command as typed, without the passwords of its URLs: the output may be kept in the log of a pipeline. */
export function formatCommand(command: readonly string[] | string): string {
  return redactCredentials(typeof command === 'string' ? command : command.map(quote).join(' '));
}

/** Names the windows that `run` did not start and that are on: `window 3f2a91c0`, `windows 3f2a91c0, 77de0a12`. */
export function describeOtherWindows({ status }: ChangeReport, id: string): string | undefined {
  const others = status.windows.active.filter((window) => window.id !== id).map((window) => window.id);
  return others.length === 0 ? undefined : `${others.length === 1 ? 'window' : 'windows'} ${others.join(', ')}`;
}

/** Returns the result for --json. */
export function toRunJson({ report, token, steps, ...result }: RunResult): object {
  const milliseconds = Object.fromEntries(steps.map(({ name, elapsed }) => [name, Math.round(elapsed)]));
  return { ...(report && toChangeJson({ ...report, token })), ...result, steps: milliseconds };
}
