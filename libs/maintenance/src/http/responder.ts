import { Logger } from '@nestjs/common';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Refusal } from '../policy/refusal.js';
import type { Clock } from '../state/clock.js';
import { remembering } from '../remembering.js';
import { reasonOf } from '../state/reason-of.js';
import type { Answer } from './answer.js';
import { eventStreamAnswer, isReturningReader } from './event-stream.js';
import { KeptAnswers, samePeriod } from './kept-answers.js';
import { preferredFormat } from './negotiation.js';
import { DEFAULT_PAGE_CSP } from './page/default-page.js';
import type { PageRenderer } from './page/page-renderer.js';
import { plainPage } from './page/plain-page.js';
import { problemOf, type Problem } from './problem.js';

/** Of the headers that are worth remembering; those of browsers are much shorter. */
const LONGEST_ACCEPT = 512;

/** What the responder looks at in a request; the requests of Express and of Fastify both have it. */
export interface AnswerableRequest {
  readonly headers: Record<string, string | string[] | undefined>;
  readonly url: string;
  /** With the port, by the adapter's trust-proxy setting. */
  readonly host?: string;
}

/** Makes the answer to a refused request: page, problem document or redirect. */
export class Responder {
  readonly #logger = new Logger('Maintenance');
  readonly #preferredFormat = remembering(preferredFormat, LONGEST_ACCEPT);
  // What they say of the time is the same for as long as the refusal is.
  readonly #keptJson = new WeakMap<Refusal, Answer>();
  readonly #keptPages = new KeptAnswers();
  #lastComplaint = '';

  constructor(
    private readonly options: ResolvedOptions['response'],
    private readonly pages: PageRenderer,
    private readonly clock: Clock,
  ) {}

  /** The status of every refusal. */
  get statusCode(): number {
    return this.options.statusCode;
  }

  /** The problem document, with the members that the application adds. Never rejects. */
  async problem(refusal: Refusal, request: AnswerableRequest | null): Promise<Problem> {
    const custom = request && (await this.#custom(request).catch((error: unknown) => this.#leftOut(error)));
    return { ...custom, ...problemOf(refusal, this.options.statusCode) };
  }

  /**
   * The answer in the format that the request asks for. Never rejects.
   *
   * @param isEventStream - whether the handler sends events
   */
  async answer(refusal: Refusal, request: AnswerableRequest, isEventStream: boolean): Promise<Answer> {
    const ready = this.readyAnswer(refusal, request, isEventStream);
    if (ready) return ready;
    if (isEventStream && isReturningReader(request)) return eventStreamAnswer(refusal, request);
    if ((await this.#format(request)) === 'json') return this.#json(await this.problem(refusal, request));
    const target = this.#redirectTarget(request);
    if (target !== null) {
      // Retry-After would delay it (RFC 9110, section 10.2.3).
      return { status: 302, headers: { Location: target }, body: Buffer.alloc(0), hasOwnStatus: true };
    }
    return this.#page(refusal, request);
  }

  /** The same answer, complete but for `Vary`, if it can be given at once and is the same for everybody; else `null`. */
  readyAnswer(refusal: Refusal, request: AnswerableRequest, isEventStream: boolean): Answer | null {
    const { type, context, redirectUrl } = this.options;
    if (typeof type === 'function' || isEventStream) return null;
    const format = type === 'auto' ? this.#preferred(request) : type;
    if (format === 'html') {
      // Rendered for the first time, a page has to wait for its template.
      return redirectUrl === undefined ? this.#keptPages.find(refusal, this.clock.now()) : null;
    }
    if (context) return null;
    const kept = this.#keptJson.get(refusal);
    if (kept) return kept;
    const answer = complete(this.#json(problemOf(refusal, this.options.statusCode)), refusal);
    this.#keptJson.set(refusal, answer);
    return answer;
  }

  #json(problem: Problem): Answer {
    const body = Buffer.from(JSON.stringify(problem));
    return { status: this.options.statusCode, headers: { 'Content-Type': 'application/problem+json' }, body };
  }

  async #page(refusal: Refusal, request: AnswerableRequest): Promise<Answer> {
    const problem = problemOf(refusal, this.options.statusCode);
    const headers: Record<string, string> = { 'Content-Type': 'text/html; charset=utf-8' };
    try {
      const isForAll = !this.pages.isOwn || !this.options.context;
      const custom = isForAll ? null : await this.#custom(request);
      const now = this.clock.now();
      const page = await this.pages.render(problem, custom, now);
      if (page.contentSecurityPolicy) headers['Content-Security-Policy'] = page.contentSecurityPolicy;
      const answer = { status: problem.statusCode, headers, body: Buffer.from(page.html) };
      const end = problem.endsAt === null ? Infinity : Date.parse(problem.endsAt);
      return isForAll ? this.#keptPages.keep(refusal, complete(answer, refusal), samePeriod(end, now)) : answer;
    } catch (error) {
      this.#complain(`The maintenance page could not be rendered, so a plain one goes out: ${reasonOf(error)}`);
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

  async #format(request: AnswerableRequest): Promise<'html' | 'json'> {
    const { type } = this.options;
    if (typeof type === 'string' && type !== 'auto') return type;
    if (typeof type === 'function') {
      try {
        const chosen = await (type as (request: AnswerableRequest) => unknown)(request);
        if (chosen === 'html' || chosen === 'json') return chosen;
        this.#complain('`response.type` gave neither "html" nor "json", so the Accept header decides.');
      } catch (error) {
        this.#complain(`\`response.type\` threw, so the Accept header decides: ${reasonOf(error)}`);
      }
    }
    return this.#preferred(request);
  }

  #preferred(request: AnswerableRequest): 'html' | 'json' {
    return this.#preferredFormat(headerOf(request, 'accept') ?? '');
  }

  async #custom(request: AnswerableRequest): Promise<object | null> {
    if (!this.options.context) return null;
    const members = await this.options.context(request);
    // What can't be made JSON would fail later, in the hands of whoever sends it.
    JSON.stringify(members);
    return { ...members };
  }

  #leftOut(error: unknown): null {
    this.#complain(`The members of \`response.context\` are left out: ${reasonOf(error)}`);
    return null;
  }

  // Once, not for each request that meets the same trouble.
  #complain(sentence: string): void {
    if (sentence !== this.#lastComplaint) this.#logger.error(sentence);
    this.#lastComplaint = sentence;
  }

  #redirectTarget(request: AnswerableRequest): string | null {
    const { redirectUrl } = this.options;
    if (redirectUrl === undefined) return null;
    if (redirectUrl.startsWith('/')) {
      const { pathname, search, hash } = new URL(redirectUrl, 'http://localhost');
      return pathname + search + hash;
    }
    const target = new URL(redirectUrl);
    // There, the redirect would come back for ever.
    const hosts = [request.host, headerOf(request, 'host'), headerOf(request, ':authority')];
    return hosts.some((host) => isHostOf(target, host)) ? null : target.href;
  }
}

/** With the headers of the refusal, so that whoever sends it has nothing to add but `Vary`. */
function complete(answer: Answer, { retryAfter }: Refusal): Answer {
  const again = retryAfter !== null && { 'Retry-After': String(retryAfter) };
  const headers = { ...answer.headers, 'Cache-Control': 'no-store', ...again };
  return {
    ...answer,
    headers,
    allHeaders: { ...headers, Vary: 'Accept', 'Content-Length': String(answer.body.length) },
  };
}

/** Whether a `Host` header names the host of the URL, the port of its scheme written out or not. */
function isHostOf({ protocol, host: expected }: URL, host: string | undefined): boolean {
  const url = `${protocol}//${host}`;
  return host !== undefined && URL.canParse(url) && new URL(url).host === expected;
}

function headerOf({ headers }: AnswerableRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
