import { FailureLog } from '../utils/failure-log.js';
import type { ResolvedOptions } from '../options/resolved-options.js';
import type { Refusal } from '../policy/refusal.js';
import type { PageContext } from '../page/page-context.js';
import type { PageRenderer } from '../page/page-renderer.js';
import type { Clock } from '../utils/clock.js';
import { memoize } from '../utils/memoize.js';
import { CALLBACK_TIMEOUT_MS, withTimeout } from '../utils/with-timeout.js';
import { toErrorMessage } from '../utils/to-error-message.js';
import { VARY, type Answer } from './answer.js';
import { AnswerCache } from './answer-cache.js';
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
import type { HttpRequest } from './http-request.interface.js';
import { createRefusalHeaders } from './refusal-headers.js';
import { createMessage, createProblem, type Problem, type ReaderLanguage } from './problem.js';

/** How long `response.render` may take, in milliseconds. */
const RENDER_TIMEOUT_MS = 2_000;

/** Creates the answer to a refused request: page, problem document or redirect. */
export class Responder {
  readonly #failures: FailureLog;
  readonly #negotiateFormat = memoize(negotiateFormat, MAX_ACCEPT_LENGTH);
  readonly #jsonAnswers = new AnswerCache();
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
    if (!request) return createProblem(refusal, this.options.statusCode);
    const language = await this.#loadLanguage(this.#negotiateLanguageFor(refusal, request));
    const { json } = await this.#getCustomMembers(request);
    return { ...json, ...createProblem(refusal, this.options.statusCode, language) };
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
    const language = await this.#loadLanguage(this.#negotiateLanguageFor(refusal, request));
    if ((await this.#chooseFormat(request)) === 'json') {
      const { json } = await this.#getCustomMembers(request);
      return this.#createJsonAnswer(refusal, language, json);
    }
    const target = this.#findRedirectTarget(request);
    if (target !== null) {
      // Retry-After would delay it (RFC 9110, section 10.2.3).
      return { status: 302, headers: { Location: target }, body: Buffer.alloc(0), hasOwnStatus: true };
    }
    return this.#createPageAnswer(refusal, request, language);
  }

  /** Creates the page and the problem document that clients would get, for a preview. Never rejects. */
  async createPreview(refusal: Refusal, request: HttpRequest): Promise<{ html: string; json: Problem }> {
    const language = await this.#loadLanguage(this.#negotiateLanguageFor(refusal, request));
    const { body } = await this.#createPageAnswer(refusal, request, language);
    return { html: body.toString(), json: await this.createProblemWithMembers(refusal, request) };
  }

  /**
   * Finds the answer where it needs no callback and is the same for all clients of a language, complete but for `Vary`.
   *
   * @returns `null` where `createAnswer()` has to create one
   */
  findReadyAnswer(refusal: Refusal, request: HttpRequest, isEventStream: boolean): Answer | null {
    const { type, context, redirectUrl } = this.options;
    if (typeof type === 'function' || isEventStream) return null;
    const format = type === 'auto' ? this.#negotiateFormatFor(request) : type;
    if (format === 'html') {
      if (redirectUrl !== undefined) return null;
      return this.#pageAnswers.find(refusal, this.#negotiateLanguageFor(refusal, request), this.clock.now());
    }
    if (context) return null;
    const tag = this.#negotiateLanguageFor(refusal, request);
    const cached = this.#jsonAnswers.find(refusal, tag, 0);
    if (cached) return cached;
    const page = this.pages.languages.find(tag);
    // Used for the first time, a language has to be loaded.
    if (!page) return null;
    const answer = completeAnswer(this.#createJsonAnswer(refusal, { tag, page }, {}), refusal);
    // Its times stay true for as long as the refusal is the same object.
    return this.#jsonAnswers.store(refusal, tag, answer, Infinity, 0);
  }

  #createJsonAnswer(refusal: Refusal, language: ReaderLanguage, members: object): Answer {
    const problem = { ...members, ...createProblem(refusal, this.options.statusCode, language) };
    const contentLanguage = createMessage(refusal, language).tag ?? language.page.tag;
    const headers = { 'Content-Type': 'application/problem+json', 'Content-Language': contentLanguage };
    return { status: this.options.statusCode, headers, body: Buffer.from(JSON.stringify(problem)) };
  }

  async #createPageAnswer(refusal: Refusal, request: HttpRequest, language: ReaderLanguage): Promise<Answer> {
    const { page } = language;
    const problem = createProblem(refusal, this.options.statusCode, language);
    const { tag: messageLanguage } = createMessage(refusal, language);
    const now = this.clock.now();
    const differs = messageLanguage !== undefined && messageLanguage !== page.tag;
    const context = this.pages.createContext({ ...problem, ...(differs && { messageLanguage }) }, page, now);
    const headers = { 'Content-Type': 'text/html; charset=utf-8' };
    const own = await this.#renderOwnPage(context, request);
    const answer: Answer =
      own === null
        ? {
            status: problem.statusCode,
            headers: {
              ...headers,
              'Content-Language': page.tag,
              'Content-Security-Policy': this.pages.contentSecurityPolicy,
            },
            body: Buffer.from(this.pages.renderBuiltIn(context)),
          }
        : { status: problem.statusCode, headers: { ...headers, ...getContentLanguage(own) }, body: Buffer.from(own) };
    if (!this.#isSameForAll(own) || this.pages.languages.find(language.tag) !== page) return answer;
    const end = problem.endsAt === null ? Infinity : Date.parse(problem.endsAt);
    return this.#pageAnswers.store(refusal, language.tag, completeAnswer(answer, refusal), end, now);
  }

  // The built-in page in place of one of the application's own that failed is not cached: the next may succeed. Nor is
  // the fallback for a language whose texts could not be loaded.
  #isSameForAll(own: string | null): boolean {
    if (this.options.render) return false;
    return this.pages.hasTemplate ? own !== null && !this.options.context : true;
  }

  /** Renders the page of the application; `null` where it has none or fails, so that the built-in page is sent. */
  async #renderOwnPage(context: PageContext, request: HttpRequest): Promise<string | null> {
    const render = this.options.render as ((context: PageContext, request: HttpRequest) => unknown) | undefined;
    if (!render && !this.pages.hasTemplate) return null;
    const { forTemplate } = await this.#getCustomMembers(request);
    if (forTemplate === null) return null;
    const withMembers = { ...forTemplate, ...context };
    try {
      if (!render) return this.pages.renderTemplate(withMembers);
      const html = await withTimeout(() => render(withMembers, request), this.clock, RENDER_TIMEOUT_MS);
      if (typeof html === 'string') return html;
      throw new TypeError(`it must return a string, not ${describeKind(html)}`);
    } catch (error) {
      const option = render ? 'response.render' : 'response.template';
      this.#failures.error(
        option,
        () => `\`${option}\` failed, so the built-in maintenance page is sent: ${toErrorMessage(error)}`,
      );
      return null;
    }
  }

  #negotiateLanguageFor({ window }: Refusal, request: HttpRequest): string {
    return this.pages.languages.negotiate(getHeader(request, 'accept-language') ?? '', window?.messages);
  }

  // Never rejects.
  async #loadLanguage(tag: string): Promise<ReaderLanguage> {
    const { languages } = this.pages;
    try {
      return { tag, page: languages.find(tag) ?? (await languages.load(tag)) };
    } catch (error) {
      const page = languages.getFallback();
      this.#failures.error(
        'languages',
        () =>
          `The texts of the maintenance page could not be loaded for ${tag}, so it is in ${page.tag}: ${toErrorMessage(error)}`,
      );
      return { tag, page };
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

/** Adds the headers of the refusal, so that only `Vary` is missing. */
function completeAnswer(answer: Answer, refusal: Refusal): Answer {
  const headers = { ...answer.headers, ...createRefusalHeaders(refusal) };
  return {
    ...answer,
    headers,
    completeHeaders: { ...headers, Vary: VARY, 'Content-Length': String(answer.body.length) },
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

/** Returns the header for a page of the application's own, whose `<html lang>` names its language. */
function getContentLanguage(html: string): { 'Content-Language'?: string } {
  const language = /<html\b[^>]*?\slang\s*=\s*["']?([\w-]{2,35})/i.exec(html.slice(0, 1_000))?.[1];
  return language === undefined ? {} : { 'Content-Language': language };
}
