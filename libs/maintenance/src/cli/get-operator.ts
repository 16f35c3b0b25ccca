import { hostname, userInfo } from 'node:os';

/** Who sits at this terminal, for the history: `user@host`. */
export function getOperator(): string {
  return `${getUserName()}@${hostname()}`;
}

function getUserName(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container the uid often has no entry in the list of users.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
