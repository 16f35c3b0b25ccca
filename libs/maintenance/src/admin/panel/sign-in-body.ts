import { BadRequestException } from '@nestjs/common';
import type { PanelSignIn } from './panel-state.js';

const MAX_NAME_LENGTH = 64;
const MAX_TOKEN_LENGTH = 4_096;

/**
 * Parses the body of a sign-in. The error never repeats it: it contains the token.
 *
 * @throws BadRequestException (400) for any other body
 */
export function parseSignIn(body: object): PanelSignIn {
  const unknown = Object.keys(body).some((member) => member !== 'token' && member !== 'name');
  const { token, name } = body as { token?: unknown; name?: unknown };
  if (unknown || typeof token !== 'string' || token === '' || token.length > MAX_TOKEN_LENGTH)
    throw new BadRequestException(
      'The body must be {"token": "..."} with the admin token or the viewer token, and "name" if you like.',
    );
  if (name === undefined || name === '') return { token };
  // eslint-disable-next-line no-control-regex -- a name goes into logs and terminals
  if (typeof name !== 'string' || name.length > MAX_NAME_LENGTH || /[\u0000-\u001f\u007f-\u009f]/.test(name))
    throw new BadRequestException(`\`name\` must be a text of at most ${MAX_NAME_LENGTH} characters in one line.`);
  return { token, name: name.trim() || undefined };
}
