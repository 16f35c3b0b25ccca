import { BadRequestException, UnsupportedMediaTypeException } from '@nestjs/common';
import { hasBody, type RawRequest } from '../http/has-body.js';
import { JSON_EXAMPLE } from '../http/json-example.js';

/** What the endpoints look at in a request; the requests of Express and of Fastify both have it. */
export interface BodyRequest {
  headers: Record<string, string | undefined>;
  /** Node's request behind Fastify's. */
  raw?: RawRequest;
  user?: unknown;
}

/**
 * The JSON object that a request carries; an empty one where it has no body.
 *
 * @throws UnsupportedMediaTypeException (415) for a body that is not JSON, BadRequestException (400) for one that is no object
 */
export function parseJsonBody({ headers, raw }: BodyRequest, body: unknown): object {
  const { 'content-type': type } = headers;
  if (!hasBody(raw ?? { headers })) return {};
  if (!/^application\/(?:[\w.-]+\+)?json *(?:;|$)/i.test(type ?? '')) {
    throw new UnsupportedMediaTypeException(
      `The body must be application/json, not ${type ?? 'without a type'}. ${JSON_EXAMPLE}`,
    );
  }
  if (body === undefined) {
    throw new BadRequestException(
      'There is a body, but the application did not parse it (`bodyParser: false`?), so nothing was changed. Put a JSON parser before the endpoints.',
    );
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new BadRequestException(`The body is no object. ${JSON_EXAMPLE}`);
  return body;
}
