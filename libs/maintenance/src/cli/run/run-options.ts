import { UsageError } from '../../errors/usage.error.js';
import { BYPASS_HEADER, BYPASS_PARAMETER } from '../../policy/bypass.js';
import { assertEnd, type OnOptions } from '../operations.js';

export interface RunOptions extends OnOptions {
  check?: string;
  onFailure?: 'keep' | 'off';
}

/** The variable for the address at which `--check` reaches the application. */
const CHECK_URL_VARIABLE = 'MAINTENANCE_CHECK_URL';
/** The port on which a Nest application listens if nothing else is configured. */
const DEFAULT_PORT = '3000';

/**
 * Asserts that the options can be used together.
 *
 * @throws {@link UsageError} that says what to change
 */
export function assertRunOptions(options: RunOptions, command: readonly string[], program: string): void {
  const { at, every, wait = true, timeout, check } = options;
  if (!command[0]) {
    throw new UsageError(
      `run needs the command to run, after \`--\`, such as: ${program} run -- npx prisma migrate deploy`,
    );
  }
  const planned = every !== undefined ? '--every' : at !== undefined ? '--at' : undefined;
  if (planned !== undefined) {
    throw new UsageError(
      `run can't be combined with ${planned}: its window starts at once and ends with the command. Plan the window with \`on ${planned}\`, or start \`run\` at that time, by cron for example.`,
    );
  }
  if (!wait && timeout !== undefined) {
    throw new UsageError('--timeout limits the wait, and --no-wait does not wait; use one of them.');
  }
  if (check?.trim() === '') throw new UsageError('--check needs a command for the shell.');
  assertEnd(options);
}

/**
 * Creates the variables with which `--check` passes the maintenance: a link for a client that keeps cookies, and a
 * header line for every other one.
 *
 * @param environment - may contain the address of the application
 * @throws {@link UsageError} if that is not a URL
 */
export function createCheckVariables(token: string, environment: NodeJS.ProcessEnv): Record<string, string> {
  const url = getCheckUrl(environment);
  url.searchParams.set(BYPASS_PARAMETER, token);
  return { MAINTENANCE_BYPASS_URL: url.href, MAINTENANCE_BYPASS_HEADER: `${BYPASS_HEADER}: ${token}` };
}

/**
 * Returns the address of the application for `--check`.
 *
 * @throws {@link UsageError} if the environment contains one that is not a URL
 */
export function getCheckUrl(environment: NodeJS.ProcessEnv): URL {
  const text = environment[CHECK_URL_VARIABLE]?.trim() || `http://localhost:${environment.PORT || DEFAULT_PORT}/`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new UsageError(
    `${CHECK_URL_VARIABLE} must be the URL of the application, such as https://shop.example/, not ${JSON.stringify(text)}.`,
  );
}
