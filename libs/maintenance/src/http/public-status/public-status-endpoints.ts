import type { ServerResponse } from 'node:http';
import { RequestMethod } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import { loadVary } from '../../packages.cjs';
import { SKIP_METADATA } from '../../maintenance.constants.js';
import type { MaintenancePolicy } from '../../policy/maintenance-policy.js';
import type { HttpIntegration } from '../http-integration.js';
import type { HttpRequest } from '../http-request.interface.js';
import type { EventStream, StreamHub } from '../stream-hub.js';
import type { PublicStatusAnswers, StatusReader } from './public-status-answers.js';

/** How long caches may keep the status, in seconds: longer than a burst of requests, shorter than readers notice. */
const MAX_AGE_S = 5;
/** How many scopes of a request are read: they are looked up for each reader at each change. */
const MAX_SCOPES = 100;

export interface PublicStatusDeps {
  /** Below the global prefix. */
  path: string;
  httpIntegration: HttpIntegration;
  policy: Pick<MaintenancePolicy, 'awaitFresh'>;
  answers: PublicStatusAnswers;
  hub: StreamHub;
}

interface Follower {
  stream: EventStream;
  reader: StatusReader;
  /** The event that was sent last. */
  sent: Buffer;
}

/** Names the rules of the endpoints: no window refuses them. */
class PublicStatusRoutes {}
Reflect.defineMetadata(SKIP_METADATA, true, PublicStatusRoutes);

/**
 * Serves the public status and its stream. They are routes of the adapter, not of a controller: the guards, pipes and
 * interceptors of the application may need the very database that is being maintained, and ask for a user.
 */
export class PublicStatusEndpoints {
  readonly #followers = new Set<Follower>();

  constructor(private readonly deps: PublicStatusDeps) {}

  /** Registers the routes. Has to run before Nest registers those of controllers, whose wildcards come after them. */
  register(config: ApplicationConfig): void {
    const path = createPath(this.deps.path, config);
    this.deps.httpIntegration.addRoute(PublicStatusRoutes, path, (request, response) =>
      this.#sendStatus(request, response),
    );
    this.deps.httpIntegration.addRoute(PublicStatusRoutes, `${path}/events`, (request, response) =>
      this.#openStream(request, response),
    );
  }

  /** Sends the status to all streams for which it is another one. */
  broadcast(): void {
    for (const follower of this.#followers) {
      const { event } = this.deps.answers.find(follower.reader);
      if (follower.sent.equals(event)) continue;
      follower.sent = event;
      follower.stream.send(event);
    }
  }

  async #sendStatus(request: HttpRequest, response: ServerResponse): Promise<void> {
    await this.deps.policy.awaitFresh();
    const { body, variesByLanguage, language } = this.deps.answers.find(createReader(request));
    addCorsHeader(response);
    response.statusCode = 200;
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.setHeader('Cache-Control', `public, max-age=${MAX_AGE_S}`);
    if (variesByLanguage) loadVary()(response, 'Accept-Language');
    if (language !== null) response.setHeader('Content-Language', language);
    response.setHeader('Content-Length', body.length);
    response.end(body);
  }

  async #openStream(request: HttpRequest, response: ServerResponse): Promise<void> {
    await this.deps.policy.awaitFresh();
    addCorsHeader(response);
    const reader = createReader(request);
    const { event } = this.deps.answers.find(reader);
    const stream = this.deps.hub.open(response, () => this.#followers.delete(follower));
    const follower: Follower = { stream, reader, sent: event };
    this.#followers.add(follower);
    stream.send(event);
  }
}

/** Returns the path as Nest would route a version-neutral controller. */
function createPath(path: string, config: ApplicationConfig): string {
  const own = `/${path.replace(/^\/+|\/+$/g, '')}`;
  const prefix = config.getGlobalPrefix().replace(/^\/+|\/+$/g, '');
  const { exclude = [] } = config.getGlobalPrefixOptions();
  const isExcluded = exclude.some(
    ({ pathRegex, requestMethod }) =>
      (requestMethod === RequestMethod.GET || requestMethod === RequestMethod.ALL) && pathRegex.test(own),
  );
  return prefix === '' || isExcluded ? own : `/${prefix}${own}`;
}

function createReader({ url, headers }: HttpRequest): StatusReader {
  const query = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?')) : '');
  return {
    scopes: query
      .getAll('scope')
      .filter((scope) => scope !== '')
      .slice(0, MAX_SCOPES),
    acceptLanguage: String(headers['accept-language'] ?? ''),
  };
}

// The status is public, so pages of every origin may read it, unless the application's own CORS has decided.
function addCorsHeader(response: ServerResponse): void {
  if (!response.hasHeader('Access-Control-Allow-Origin')) response.setHeader('Access-Control-Allow-Origin', '*');
}
