import { Logger } from '@nestjs/common';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Refusal } from '../policy/refusal.js';
import type { Clock } from '../state/clock.js';
import type { Answer } from './answer.js';
import { preferredFormat } from './negotiation.js';
import { DEFAULT_PAGE_CSP } from './page/default-page.js';
import type { PageRenderer } from './page/page-renderer.js';
import { plainPage } from './page/plain-page.js';
import { problemOf, type Problem } from './problem.js';

/** What the responder looks at in a request; the requests of Express and of Fastify both have it. */
export interface AnswerableRequest {
  readonly headers: Record<string, string | string[] | undefined>;
  readonly url: string;
}

/** Makes the answer to a refused request: page, problem document or redirect. */
export class Responder {
  readonly #logger = new Logger('Maintenance');

  constructor(
    private readonly options: ResolvedOptions['response'],
    private readonly pages: PageRenderer,
    private readonly clock: Clock,
  ) {}

  /** The status of every refusal. */
  get statusCode(): number {
    return this.options.statusCode;
  }

  /** The problem document, with the members that the application adds. */
  async problem(refusal: Refusal, request: AnswerableRequest | null): Promise<Problem> {
    const custom = request && (await this.#custom(request));
    return { ...custom, ...problemOf(refusal, this.options.statusCode) };
  }

  /** The answer in the format that the request asks for. */
  async answer(refusal: Refusal, request: AnswerableRequest): Promise<Answer> {
    if (this.#format(request) === 'json') return this.#json(await this.problem(refusal, request));
    const target = this.#redirectTarget(request);
    if (target !== null) return { status: 302, headers: { Location: target }, body: Buffer.alloc(0) };
    return this.#page(refusal, request);
  }

  #json(problem: Problem): Answer {
    const body = Buffer.from(JSON.stringify(problem));
    return { status: this.options.statusCode, headers: { 'Content-Type': 'application/problem+json' }, body };
  }

  async #page(refusal: Refusal, request: AnswerableRequest): Promise<Answer> {
    const problem = problemOf(refusal, this.options.statusCode);
    const headers: Record<string, string> = { 'Content-Type': 'text/html; charset=utf-8' };
    try {
      const page = await this.pages.render(problem, await this.#custom(request), this.clock.now());
      if (page.contentSecurityPolicy) headers['Content-Security-Policy'] = page.contentSecurityPolicy;
      return { status: problem.statusCode, headers, body: Buffer.from(page.html) };
    } catch (error) {
      this.#logger.error(`The maintenance page could not be rendered, a plain one goes out: ${reasonOf(error)}`);
      // Whatever policy the application has, it is not made for this page.
      headers['Content-Security-Policy'] = DEFAULT_PAGE_CSP;
      const html = plainPage({
        title: 'Down for maintenance',
        message: problem.message,
        statusCode: problem.statusCode,
      });
      return { status: problem.statusCode, headers, body: Buffer.from(html) };
    }
  }

  #format(request: AnswerableRequest): 'html' | 'json' {
    const { type } = this.options;
    const accept = headerOf(request, 'accept');
    if (type === 'auto') return preferredFormat(accept);
    if (typeof type === 'string') return type;
    try {
      return type(request) === 'html' ? 'html' : 'json';
    } catch (error) {
      this.#logger.error(`\`response.type\` threw, so the Accept header decides: ${reasonOf(error)}`);
      return preferredFormat(accept);
    }
  }

  async #custom(request: AnswerableRequest): Promise<object | null> {
    if (!this.options.context) return null;
    try {
      return await this.options.context(request);
    } catch (error) {
      this.#logger.error(`\`response.context\` threw, its members are left out: ${reasonOf(error)}`);
      return null;
    }
  }

  #redirectTarget(request: AnswerableRequest): string | null {
    const { redirectUrl } = this.options;
    if (redirectUrl === undefined) return null;
    if (redirectUrl.startsWith('/')) return redirectUrl;
    // There, the redirect would come back for ever.
    const host = headerOf(request, 'host') ?? headerOf(request, ':authority');
    return host?.toLowerCase() === new URL(redirectUrl).host ? null : redirectUrl;
  }
}

function headerOf({ headers }: AnswerableRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
