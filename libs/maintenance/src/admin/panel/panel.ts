import { HttpStatus, NotFoundException, UnauthorizedException } from '@nestjs/common';
import type { AbstractHttpAdapter, HttpAdapterHost } from '@nestjs/core';
import type { Observable } from 'rxjs';
import type { InstanceReporter } from '../../drain/instance-reporter.js';
import type { HttpIntegration } from '../../http/http-integration.js';
import type { HttpRequest } from '../../http/http-request.interface.js';
import { StreamHub } from '../../http/stream-hub.js';
import type { Responder } from '../../http/responder.js';
import { RefusalFactory } from '../../policy/refusal.js';
import type { StateStorage } from '../../storage/state-storage.js';
import { toIso } from '../../utils/dates.js';
import { getCaller, type AddressedRequest } from '../admin-caller.js';
import { parseJsonBody, type BodyRequest } from '../json-body.js';
import { createTooManyTriesError } from '../too-many-tries.js';
import { EndedSessions } from './ended-sessions.js';
import { FleetReader } from './fleet-reader.js';
import { createPanelHeaders, findStyles, renderPanelDocument, type PanelAssets } from './panel-document.js';
import { PanelFeed } from './panel-feed.js';
import { PanelSessions } from './panel-sessions.js';
import { PanelStateBuilder, type PanelStateDeps } from './panel-state-builder.js';
import type { PanelConfig, PanelSession, PanelSignOut } from './panel-state.js';
import { ReportsReader } from './reports-reader.js';
import type { SessionRequest } from './session-cookie.js';
import { parseSignIn } from './sign-in-body.js';
import { createPreview } from './window-preview.js';

/** A request to the panel, on Express and on Fastify. */
export type PanelRequest = BodyRequest & AddressedRequest & SessionRequest & HttpRequest;

/** The dependencies of {@link Panel}. */
export interface PanelDeps extends Omit<PanelStateDeps, 'fleet'> {
  host: HttpAdapterHost;
  httpIntegration: HttpIntegration;
  responder: Responder;
  storage: StateStorage;
  reporter: InstanceReporter;
  changes: Observable<unknown>;
  shutdown: AbortSignal;
}

/** Browsers neither store data nor take it for a page. */
const DATA_HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };

/**
 * Answers the requests of the panel. It writes the responses itself: interceptors of the application may cache them, or
 * wrap them into an object.
 */
export class Panel {
  readonly sessions: PanelSessions;
  readonly #builder: PanelStateBuilder;
  readonly #feed: PanelFeed;
  #document: Promise<{ assets: PanelAssets; headers: Record<string, string> }> | null = null;

  constructor(private readonly deps: PanelDeps) {
    const { storage, clock, reporter, options, monitor, changes, httpIntegration, shutdown } = deps;
    const reader = new ReportsReader(storage, clock);
    this.sessions = new PanelSessions(options, new EndedSessions(reader, reporter, clock), clock);
    this.#builder = new PanelStateBuilder({ ...deps, fleet: new FleetReader(reader, monitor, clock) });
    this.#feed = new PanelFeed({
      builder: this.#builder,
      changes,
      hub: new StreamHub(httpIntegration, clock, shutdown),
    });
    // Sessions that ended before this instance started: the instances that know them may stop soon.
    reader.read().catch(() => undefined);
  }

  /** Sends the document. */
  async sendDocument(request: PanelRequest, response: object): Promise<void> {
    this.#document ??= this.#loadDocument(request).catch((error: unknown) => {
      // The files may be missing while the application is being replaced.
      this.#document = null;
      throw error;
    });
    const { assets, headers } = await this.#document;
    const [path = ''] = request.url.split('?', 1);
    const config: PanelConfig = {
      base: path.endsWith('/') ? '../' : './',
      signIn: this.sessions.areUsed ? 'token' : 'guards',
    };
    this.#send(response, renderPanelDocument(assets, config), headers);
  }

  /** Sends the state. */
  async sendState(request: PanelRequest, response: object): Promise<void> {
    this.#send(response, this.#builder.addCaller(await this.#builder.buildShared(), request));
  }

  /** Sends the state now and whenever it changes. */
  sendEvents(request: PanelRequest, response: object): void {
    const { session } = getCaller(request);
    this.#feed.open(request, response, async () => session === null || this.sessions.isOpen(session));
  }

  /** Sends what clients would get during a window. */
  async sendPreview(request: PanelRequest, body: unknown, response: object): Promise<void> {
    const { allowMe: _allowMe, bypass: _bypass, ...window } = parseJsonBody(request, body) as Record<string, unknown>;
    const { responder, monitor, clock, options } = this.deps;
    const { retryAfter } = options.response;
    this.#send(response, await createPreview(window, request, { responder, monitor, clock, retryAfter }));
  }

  /** Exchanges a token for the cookie of a session. */
  signIn(request: PanelRequest, body: unknown, response: object): void {
    if (!this.sessions.areUsed)
      throw new NotFoundException('There is no token to sign in with: guards of the application protect the panel.');
    const { token, name } = parseSignIn(parseJsonBody(request, body));
    const done = this.sessions.signIn(token, name, request);
    if (done.result === 'wait') {
      this.#adapter.setHeader(response, 'Retry-After', String(done.seconds));
      throw createTooManyTriesError(done.seconds);
    }
    if (done.result === 'wrong') throw new UnauthorizedException('Wrong token.');
    const { session, header } = done;
    this.#adapter.appendHeader(response, 'Set-Cookie', header);
    const answer: PanelSession = { access: session.access, endsAt: toIso(session.endsAt) };
    this.#send(response, answer);
  }

  /** Ends the session of the caller. */
  async signOut(request: PanelRequest, response: object): Promise<void> {
    const { session } = getCaller(request);
    const everywhere = session === null || (await this.sessions.end(session));
    this.#feed.refresh();
    const removal = this.sessions.createRemoval(request);
    if (removal !== null) this.#adapter.appendHeader(response, 'Set-Cookie', removal);
    const answer: PanelSignOut = { everywhere };
    this.#send(response, answer);
  }

  get #adapter(): AbstractHttpAdapter {
    return this.deps.host.httpAdapter;
  }

  #send(response: object, body: object | string, headers: Record<string, string> = DATA_HEADERS): void {
    for (const [name, value] of Object.entries(headers)) this.#adapter.setHeader(response, name, value);
    this.#adapter.reply(response, body, HttpStatus.OK);
  }

  // Loaded on use: most instances never serve the panel.
  async #loadDocument(request: PanelRequest): Promise<{ assets: PanelAssets; headers: Record<string, string> }> {
    const { PANEL_DOCUMENT: assets } = await import('./panel-assets.js');
    const { responder, options, clock } = this.deps;
    const refusal = new RefusalFactory(options.response.retryAfter).create([], clock.now());
    const { html } = await responder.createPreview(refusal, request);
    return { assets, headers: createPanelHeaders(assets, findStyles(html)) };
  }
}
