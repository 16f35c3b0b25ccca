import { HttpException, HttpStatus } from '@nestjs/common';

/** Creates the error after too many wrong tokens. */
export function createTooManyTriesError(seconds: number): HttpException {
  const message = `Too many wrong tokens. Try again in ${seconds} s.`;
  const statusCode = HttpStatus.TOO_MANY_REQUESTS;
  return new HttpException({ statusCode, message, error: 'Too Many Requests' }, statusCode);
}
