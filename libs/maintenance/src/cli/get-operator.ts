import { hostname, userInfo } from 'node:os';

/** Returns the operator for the history, as `user@host`. */
export function getOperator(): string {
  return `${getUserName()}@${hostname()}`;
}

function getUserName(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container, the uid often has no entry in /etc/passwd.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
