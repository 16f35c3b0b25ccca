import { BadRequestException, UnsupportedMediaTypeException } from '@nestjs/common';
import { hasBody, type RawRequest } from '../http/has-body.js';
import { JSON_EXAMPLE } from '../http/json-example.js';

/** The part of a request that the endpoints read, the same on Express and on Fastify. */
export interface BodyRequest {
  headers: Record<string, string | undefined>;
  /** Node's request, on Fastify only. */
  raw?: RawRequest;
  /** The caller's address by the adapter's trust-proxy setting. */
  ip?: string;
  user?: unknown;
}

/**
 * Returns the JSON object in the body of a request; an empty object if there is no body.
 *
 * @throws UnsupportedMediaTypeException (415) if the body is not JSON
 * @throws BadRequestException (400) if the body is not an object, or was not parsed
 */
export function parseJsonBody({ headers, raw }: BodyRequest, body: unknown): object {
  const { 'content-type': type } = headers;
  if (!hasBody(raw ?? { headers })) return {};
  if (!/^application\/(?:[\w.-]+\+)?json *(?:;|$)/i.test(type ?? '')) {
    throw new UnsupportedMediaTypeException(
      `The body must be application/json, not ${type ?? 'a body without a Content-Type'}. ${JSON_EXAMPLE}`,
    );
  }
  if (body === undefined) {
    throw new BadRequestException(
      'The body was not parsed by the application (`bodyParser: false`?), so nothing was changed. Add a JSON parser before the endpoints.',
    );
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new BadRequestException(`The body must be a JSON object. ${JSON_EXAMPLE}`);
  return body;
}
