import { FailureLog } from '../utils/failure-log.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Refusal } from '../policy/refusal.js';
import type { Clock } from '../utils/clock.js';
import { memoize } from '../utils/memoize.js';
import { CALLBACK_TIMEOUT_MS, withTimeout } from '../utils/with-timeout.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import type { Answer } from './answer.js';
import {
  copyMembers,
  describeKind,
  FAILED_CUSTOM_MEMBERS,
  isPlainObject,
  NO_CUSTOM_MEMBERS,
  type CustomMembers,
} from './custom-members.js';
import { createEventStreamAnswer, isReconnect } from './event-stream.js';
import { MAX_ACCEPT_LENGTH, negotiateFormat } from './negotiation.js';
import { DEFAULT_PAGE_CSP } from './page/default-page.js';
import type { HttpRequest } from './http-request.interface.js';
import type { PageRenderer } from './page/page-renderer.js';
import { renderPlainPage } from './page/plain-page.js';
import { createProblem, type Problem } from './problem.js';

/** Creates the answer to a refused request: page, problem document or redirect. */
export class Responder {
  readonly #failures: FailureLog;
  readonly #negotiateFormat = memoize(negotiateFormat, MAX_ACCEPT_LENGTH);
  // The times in them stay true for as long as the refusal is the same object.
  readonly #jsonAnswers = new WeakMap<Refusal, Answer>();
  readonly #pageAnswers = new AnswerCache();
  // Loaded once per request: the guard needs them for its exception, the filter for the answer.
  readonly #customMembers = new WeakMap<HttpRequest, Promise<CustomMembers>>();

  constructor(
    private readonly options: ResolvedOptions['response'],
    private readonly pages: PageRenderer,
    private readonly clock: Clock,
  ) {
    this.#failures = new FailureLog(clock);
  }

  /** Returns the status of every refusal. */
  get statusCode(): number {
    return this.options.statusCode;
  }

  /** Creates the problem document with the members that the application adds. Never rejects. */
  async createProblemWithMembers(refusal: Refusal, request: HttpRequest | null): Promise<Problem> {
    const { json } = request ? await this.#getCustomMembers(request) : NO_CUSTOM_MEMBERS;
    return { ...json, ...createProblem(refusal, this.options.statusCode) };
  }

  /**
   * Creates the answer in the format that the request asks for. Never rejects.
   *
   * @param isEventStream - whether the handler sends events
   */
  async createAnswer(refusal: Refusal, request: HttpRequest, isEventStream: boolean): Promise<Answer> {
    const ready = this.findReadyAnswer(refusal, request, isEventStream);
    if (ready) return ready;
    if (isEventStream && isReconnect(request)) return createEventStreamAnswer(refusal, request);
    if ((await this.#chooseFormat(request)) === 'json')
      return this.#createJsonAnswer(await this.createProblemWithMembers(refusal, request));
    const target = this.#findRedirectTarget(request);
    if (target !== null) {
      // Retry-After would delay it (RFC 9110, section 10.2.3).
      return { status: 302, headers: { Location: target }, body: Buffer.alloc(0), hasOwnStatus: true };
    }
    return this.#createPageAnswer(refusal, request);
  }

  /**
   * Finds the answer where it needs no callback and is the same for all clients, complete but for `Vary`.
   *
   * @returns `null` where `createAnswer()` has to create one
   */
  findReadyAnswer(refusal: Refusal, request: HttpRequest, isEventStream: boolean): Answer | null {
    const { type, context, redirectUrl } = this.options;
    if (typeof type === 'function' || isEventStream) return null;
    const format = type === 'auto' ? this.#negotiateFormatFor(request) : type;
    if (format === 'html') {
      // Rendered for the first time, a page has to wait for its template.
      return redirectUrl === undefined ? this.#pageAnswers.find(refusal, this.clock.now()) : null;
    }
    if (context) return null;
    const cached = this.#jsonAnswers.get(refusal);
    if (cached) return cached;
    const answer = completeAnswer(this.#createJsonAnswer(createProblem(refusal, this.options.statusCode)), refusal);
    this.#jsonAnswers.set(refusal, answer);
    return answer;
  }

  #createJsonAnswer(problem: Problem): Answer {
    const body = Buffer.from(JSON.stringify(problem));
    return { status: this.options.statusCode, headers: { 'Content-Type': 'application/problem+json' }, body };
  }

  async #createPageAnswer(refusal: Refusal, request: HttpRequest): Promise<Answer> {
    const problem = createProblem(refusal, this.options.statusCode);
    const headers: Record<string, string> = { 'Content-Type': 'text/html; charset=utf-8' };
    try {
      const isForAll = !this.pages.isCustom || !this.options.context;
      const { forTemplate } = isForAll ? NO_CUSTOM_MEMBERS : await this.#getCustomMembers(request);
      if (forTemplate === null) return createPlainAnswer(problem, headers);
      const now = this.clock.now();
      const page = await this.pages.render(problem, forTemplate, now);
      if (page.contentSecurityPolicy) headers['Content-Security-Policy'] = page.contentSecurityPolicy;
      const answer = { status: problem.statusCode, headers, body: Buffer.from(page.html) };
      const end = problem.endsAt === null ? Infinity : Date.parse(problem.endsAt);
      return isForAll
        ? this.#pageAnswers.store(refusal, completeAnswer(answer, refusal), getValidityPeriod(end, now))
        : answer;
    } catch (error) {
      this.#failures.error(
        'response.template',
        () => `The maintenance page could not be rendered, so a plain one goes out: ${toErrorMessage(error)}`,
      );
      return createPlainAnswer(problem, headers);
    }
  }

  async #chooseFormat(request: HttpRequest): Promise<'html' | 'json'> {
    const { type } = this.options;
    if (typeof type === 'string' && type !== 'auto') return type;
    if (typeof type === 'function') {
      try {
        const choose = type as (request: HttpRequest) => unknown;
        const chosen = await withTimeout(() => choose(request), this.clock, CALLBACK_TIMEOUT_MS);
        if (chosen === 'html' || chosen === 'json') return chosen;
        throw new TypeError('it must return "html" or "json"');
      } catch (error) {
        this.#failures.error(
          'response.type',
          () => `\`response.type\` could not decide, so the Accept header does: ${toErrorMessage(error)}`,
        );
      }
    }
    return this.#negotiateFormatFor(request);
  }

  #negotiateFormatFor(request: HttpRequest): 'html' | 'json' {
    return this.#negotiateFormat(getHeader(request, 'accept') ?? '');
  }

  #getCustomMembers(request: HttpRequest): Promise<CustomMembers> {
    const cached = this.#customMembers.get(request);
    if (cached) return cached;
    const loading = this.#loadCustomMembers(request);
    this.#customMembers.set(request, loading);
    return loading;
  }

  // Never rejects.
  async #loadCustomMembers(request: HttpRequest): Promise<CustomMembers> {
    const context = this.options.context as ((request: HttpRequest) => unknown) | undefined;
    if (!context) return NO_CUSTOM_MEMBERS;
    try {
      const members = await withTimeout(() => context(request), this.clock, CALLBACK_TIMEOUT_MS);
      if (isPlainObject(members)) return copyMembers(members);
      this.#failures.error(
        'response.context',
        () =>
          `\`response.context\` returned ${describeKind(members)}, which adds nothing: it must return a plain object.`,
      );
      return NO_CUSTOM_MEMBERS;
    } catch (error) {
      this.#failures.error(
        'response.context',
        () =>
          `\`response.context\` failed, so its members are left out, and a template of your own is not used: ${toErrorMessage(error)}`,
      );
      return FAILED_CUSTOM_MEMBERS;
    }
  }

  #findRedirectTarget(request: HttpRequest): string | null {
    const { redirectUrl } = this.options;
    if (redirectUrl === undefined) return null;
    if (redirectUrl.startsWith('/')) {
      const { pathname, search, hash } = new URL(redirectUrl, 'http://localhost');
      return pathname + search + hash;
    }
    const target = new URL(redirectUrl);
    // A redirect to the application's own host would loop.
    const hosts = [request.host, getHeader(request, 'host'), getHeader(request, ':authority')];
    return hosts.some((host) => isSameHost(target, host)) ? null : target.href;
  }
}

function createPlainAnswer(problem: Problem, headers: Record<string, string>): Answer {
  const html = renderPlainPage({
    title: 'Down for maintenance',
    message: problem.message,
    statusCode: problem.statusCode,
  });
  // The policy of the application does not allow the style of this page.
  const withPolicy = { ...headers, 'Content-Security-Policy': DEFAULT_PAGE_CSP };
  return { status: problem.statusCode, headers: withPolicy, body: Buffer.from(html) };
}

/** Adds the headers of the refusal, so that only `Vary` is missing. */
function completeAnswer(answer: Answer, { retryAfter }: Refusal): Answer {
  const retryAfterHeader = retryAfter !== null && { 'Retry-After': String(retryAfter) };
  const headers = { ...answer.headers, 'Cache-Control': 'no-store', ...retryAfterHeader };
  return {
    ...answer,
    headers,
    completeHeaders: { ...headers, Vary: 'Accept', 'Content-Length': String(answer.body.length) },
  };
}

/** Whether a `Host` header names the host of the URL, the port of its scheme written out or not. */
function isSameHost({ protocol, host: expected }: URL, host: string | undefined): boolean {
  const url = `${protocol}//${host}`;
  return host !== undefined && URL.canParse(url) && new URL(url).host === expected;
}

function getHeader({ headers }: HttpRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The time in which an answer is correct, in milliseconds since the epoch. */
interface ValidityPeriod {
  from: number;
  until: number;
}
interface CachedAnswer extends ValidityPeriod {
  answer: Answer;
}

/** Caches answers that are the same for all clients and contain the time that is left. */
class AnswerCache {
  readonly #byRefusal = new WeakMap<Refusal, CachedAnswer>();

  /** Returns the cached answer to a refusal at `now` (milliseconds since the epoch), or `null`. */
  find(refusal: Refusal, now: number): Answer | null {
    const cached = this.#byRefusal.get(refusal);
    return cached && now >= cached.from && now < cached.until ? cached.answer : null;
  }

  /**
   * Caches an answer.
   *
   * @param period - the time in which the answer is correct
   * @returns the answer
   */
  store(refusal: Refusal, answer: Answer, { from, until }: ValidityPeriod): Answer {
    this.#byRefusal.set(refusal, { answer, from, until });
    return answer;
  }
}

/** Returns the period in which the time left until `end` is the same number of seconds. */
function getValidityPeriod(end: number, now: number): ValidityPeriod {
  if (end === Infinity) return { from: -Infinity, until: Infinity };
  const seconds = Math.max(1, Math.ceil((end - now) / 1000));
  return { from: end - seconds * 1000, until: seconds === 1 ? Infinity : end - (seconds - 1) * 1000 };
}
